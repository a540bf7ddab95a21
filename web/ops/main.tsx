import { render } from "preact";
import { words } from "../shared/i18n";

const t = words({ title: ["三网运行监视", "Sanwang operations"] });

render(<h1>{t("title")}</h1>, document.getElementById("page")!);

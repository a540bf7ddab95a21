/** The chair's page: the link is exchanged, the console joins by itself, and what the server says is drawn. */
import { render } from "preact";
import { remoteControl } from "../shared/focus";
import { useKeys } from "./keys";
import { Notice } from "./notice";
import { begin, session } from "./seat";
import { Desk } from "./desk";

function Page() {
  useKeys();
  return session.phase.value === "in" && session.conference.value ? <Desk conference={session.conference.value} /> : <Notice />;
}

render(<Page />, document.getElementById("page")!);
remoteControl();
void begin();

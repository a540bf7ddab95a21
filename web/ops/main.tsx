/** Entry of the operations pages. */
import { render } from "preact";
import { remoteControl } from "../shared/focus";
import { begin } from "./shell/session";
import { Shell } from "./shell/shell";

const root = document.getElementById("page");
if (root) {
  render(<Shell />, root);
  remoteControl();
  void begin();
}

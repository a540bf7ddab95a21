import { render } from "preact";
import { remoteControl } from "../shared/focus";
import { Lobby } from "./Lobby";
import { Meeting } from "./Meeting";
import { Notice } from "./Notice";
import { check } from "./devices";
import "./hooks";
import { load, phase } from "./session";

function Page() {
  switch (phase.value) {
    case "lobby":
    case "joining":
      return <Lobby />;
    case "in":
      return <Meeting />;
    default:
      return <Notice />;
  }
}

render(<Page />, document.getElementById("page")!);
remoteControl();
void load();
void check();
window.addEventListener("hashchange", () => location.reload());

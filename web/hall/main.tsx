import { effect } from "@preact/signals";
import { render } from "preact";
import { remoteControl } from "../shared/focus";
import { keepAwake } from "./awake";
import { check, tend } from "./devices";
import { door, enter, home } from "./door";
import { Guest, Pair } from "./Enter";
import { Home } from "./Home";
import "./hooks";
import { tellHowItFares } from "./fared";
import { digitKeys } from "./keys";
import { testLine } from "./line";
import { LineTest } from "./LineTest";
import { Lobby } from "./Lobby";
import { Meeting } from "./Meeting";
import { keepHall, screen, session } from "./meeting";
import { Notice } from "./Notice";

function Page() {
  switch (screen.value) {
    case "pair":
      return <Pair />;
    case "guest":
      return <Guest />;
    case "home":
      return <Home />;
    case "lobby":
      return <Lobby />;
    case "joining":
      return door.value === "lobby" ? <Lobby /> : <Notice />;
    case "test":
      return <LineTest />;
    case "in":
      return <Meeting />;
    default:
      return <Notice />;
  }
}

// what the screen is, readable from outside: for the county's own style sheets and tests
effect(() => {
  const you = session.conference.value?.you;
  Object.assign(document.body.dataset, {
    phase: screen.value,
    trouble: session.trouble.value,
    layout: you?.view.layout ?? "",
    why: you?.view.why ?? "",
    role: you?.role ?? "",
    heard: String(you?.heard ?? false),
    seen: String(you?.seen ?? false),
    hand: String(you?.hand ?? 0),
  });
});

// the chair asked every hall for a line test: a hall at home does it without a person
let asked = 0;
effect(() => {
  const wanted = home.value?.test ?? 0;
  if (wanted > asked && screen.peek() === "home") void testLine();
  asked = Math.max(asked, wanted);
});

render(<Page />, document.getElementById("page")!);
remoteControl();
digitKeys();
tend();
keepHall();
keepAwake();
tellHowItFares();
void enter();
void check();
window.addEventListener("hashchange", () => location.hash && location.reload());

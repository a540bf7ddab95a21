/** What stands around every page: menu, heading, banner of faults, search, help; and the sign-in page before all of it. */
import type { ComponentType } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { say } from "../../shared/i18n";
import { Banner } from "../banner";
import type { PageProps, PageRow } from "../pages";
import { SignIn } from "../sign/SignIn";
import { useChime } from "../sound";
import { connection, county, now } from "../store";
import { StatusStrip, Top } from "../top";
import { t as words } from "../words";
import { Help, useKeys } from "./keys";
import { Menu, firstPage } from "./menu";
import { route, to } from "./router";
import { SearchBox } from "./search";
import { may, person, phase } from "./session";
import "../ui/ui.css";
import "./shell.css";
import { t } from "./words";

export function Shell() {
  useKeys();
  if (phase.value === "out") return <SignIn />;
  if (phase.value !== "in") return <p class="waiting">{words(phase.value === "starting" ? "signingIn" : "connecting")}</p>;
  // Who may watch sees the county everywhere; without it no page of the network says anything true.
  if (may("watch") && !county.value) return <p class="waiting">{words(connection.value === "lost" ? "connecting" : "signingIn")}</p>;
  return <Frame />;
}

function Frame() {
  const { path, row } = route.value;
  const watching = may("watch");
  const title = row ? say(row.words) : "";
  useNewFaults(row?.bare !== true && may("handle"));
  useEffect(() => {
    document.title = title ? `${title} · ${words("product")}` : words("product");
  }, [title]);
  useLayoutEffect(() => {
    document.documentElement.dataset.at = path; // what is drawn now, which the address runs ahead of
  }, [path]);
  if (row?.bare && may(row.right)) return <Place row={row} />;
  return (
    <div class={row?.full ? "shell full" : "shell"}>
      <Menu />
      <div class="page">
        <Top networks={row?.full === true} />
        {watching && row?.full && <StatusStrip />}
        {watching && <Banner />}
        <Place row={row} />
      </div>
      <SearchBox />
      <Help />
    </div>
  );
}

/** Who works on faults hears a new one on every page; one in a maintenance window is silent, as it calls nobody. */
function useNewFaults(listening: boolean): void {
  const state = now.value;
  const heard = listening && state?.sources["collector"] === "ok" ? state.faults : null;
  useChime(heard?.filter((fault) => fault.window === null) ?? null);
}

/** The page itself, loaded when first asked for. */
function Place({ row }: { row: PageRow | null }) {
  const { params, query } = route.value;
  const [loaded, setLoaded] = useState<{ row: PageRow; Page: ComponentType<PageProps> } | null>(null);
  const [problem, setProblem] = useState("");
  const allowed = row !== null && may(row.right);
  useEffect(() => {
    if (!row || !allowed || loaded?.row === row) return;
    let gone = false;
    setProblem("");
    row.load().then(
      (file) => !gone && setLoaded({ row, Page: file.default }),
      (error: unknown) => !gone && setProblem(String(error)),
    );
    return () => {
      gone = true;
    };
  }, [row, allowed]);
  if (!row || !allowed) return <Elsewhere known={row !== null} />;
  if (problem) return <main class="content"><p class="problem" role="alert">{problem}</p></main>;
  if (loaded?.row !== row) return <main class="content" aria-busy="true" />;
  const page = <loaded.Page params={params} query={query} />;
  return row.full || row.bare ? page : <main class="content" data-page={row.path}>{page}</main>;
}

/** An address of no page, or of one that this person may not see. */
function Elsewhere({ known }: { known: boolean }) {
  const first = firstPage();
  useEffect(() => {
    // Nobody is left before a closed door when he only opened the site's address.
    if (location.hash.replace(/^#\/?/, "") === "" && first && first.path !== "/") location.replace(to(first.path));
  }, [first]);
  return (
    <main class="content">
      <section class="card nothing">
        <h2>{known ? t("notAllowed") : t("noSuchPage")}</h2>
        <p>{known ? t("notAllowedMore", { login: person.value?.login ?? "" }) : t("noSuchPageMore")}</p>
        {first && <a href={to(first.path)}>{say(first.words)}</a>}
      </section>
    </main>
  );
}

/** The live map. */
import { useComputed } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { say } from "../shared/i18n";
import { DuctBands, DuctNames, showDucts } from "./ducts";
import { layOut } from "./layout";
import { Lines, Marks } from "./links";
import { Node, plus } from "./nodes";
import { county } from "./store";
import { KIND, STATE, t } from "./words";
import type { State } from "./types";

const NARROW = "(max-width: 720px)";

function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW);
    const onChange = (): void => setNarrow(query.matches);
    query.addEventListener("change", onChange);
    return () => query.removeEventListener("change", onChange);
  }, []);
  return narrow;
}

export function CountyMap({ selected, open }: { selected: string; open: (code: string) => void }) {
  const narrow = useNarrow();
  const wide = useComputed(() => (county.value ? layOut(county.value, false) : null));
  const tall = useComputed(() => (county.value ? layOut(county.value, true) : null));
  const layout = narrow ? tall.value : wide.value;
  if (!county.value || !layout) return null;
  const shown = county.value.links.filter((link) => link.kind !== "lan");
  return (
    <section class="map" aria-label={t("map")}>
      <svg viewBox={`0 0 ${layout.width} ${layout.height}`} role="group" aria-label={t("map")} data-narrow={narrow}>
        <ellipse class="horizon" cx={layout.width / 2} cy={layout.height / 2} rx={layout.width * 0.4175} ry={layout.height * 0.394} />
        {layout.blocks.map((block, index) => (
          <rect key={index} class="block" x={block.x} y={block.y} width={block.width} height={block.height} rx={14} />
        ))}
        <DuctBands layout={layout} />
        <Lines all={shown} layout={layout} />
        {[...layout.places.values()].map((place) => (
          <Node key={place.site.code} place={place} narrow={narrow} selected={place.site.code === selected} open={open} />
        ))}
        <Marks all={shown} layout={layout} />
        <DuctNames layout={layout} />
      </svg>
      <Legend />
    </section>
  );
}

const STATES: State[] = ["up", "degraded", "down", "unknown"];
const KINDS: [string, string][] = [
  ["school", "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0"],
  ["clinic", plus(7)],
  ["village", "M0 -8L8 0L0 8L-8 0Z"],
  ["unit", "M-6 -6H6V6H-6Z"],
  ["subscribers", "M0 -7L7 6L-7 6Z"],
];

function Legend() {
  return (
    <aside class="legend" aria-label={t("legend")}>
      <button class="toggle" aria-pressed={showDucts.value} onClick={() => (showDucts.value = !showDucts.value)}>
        {t("showDucts")}
      </button>
      {STATES.map((state) => (
        <span key={state}>
          <svg viewBox="0 0 44 16" aria-hidden="true">
            <path class={`line access ${state} load0 sample`} d="M2 8H42" />
            {state === "down" && <path class="sample-cross" d="M17 3L27 13M27 3L17 13" />}
          </svg>
          {say(STATE[state])}
        </span>
      ))}
      <span>
        <svg viewBox="0 0 44 16" aria-hidden="true">
          <path class="backup" d="M2 8H42" />
        </svg>
        {t("backupLine")}
      </span>
      <span class="loads">
        {t("byLoad")}
        {["", "30", "60", "85"].map((from, step) => (
          <span key={step}>
            <svg viewBox="0 0 26 16" aria-hidden="true">
              <path class={`line access up load${step} sample`} d="M1 8H25" />
            </svg>
            {from === "" ? "<30 %" : `≥${from} %`}
          </span>
        ))}
      </span>
      {KINDS.map(([kind, path]) => (
        <span key={kind} class="kind">
          <svg viewBox="-9 -9 18 18" aria-hidden="true">
            <path d={path} />
          </svg>
          {say(KIND[kind] ?? ["", ""])}
        </span>
      ))}
    </aside>
  );
}

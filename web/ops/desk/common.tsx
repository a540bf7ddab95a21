/** What several of the desk's pages ask and offer: a wake-up when something changed, a choice of a filter. */
import { computed } from "@preact/signals";
import { now } from "../store";

/** Changes with every fault and alert that the live picture tells, and with nothing else. */
export const faultWake = computed(() => JSON.stringify([now.value?.impact.causes, now.value?.alerts.map((alert) => alert.id)]));

/** Changes with every step of a ticket that the live picture tells of. */
export const deskWake = computed(() => now.value?.desk ?? 0);

export function Choice({ label, value, set, options }: { label: string; value: string; set: (value: string) => void; options: [string, string][] }) {
  return (
    <label>
      {label}{" "}
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        {options.map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

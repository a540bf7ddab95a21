/** Where a figure comes from: its formula in words, every input with its value, its source and its time. */
import { named } from "../../shared/i18n";
import { Dialog } from "../ui/dialog";
import { When } from "../ui/show";
import { quantity } from "./quantity";
import type { FigureInput, LeadFigure } from "./types";
import { t } from "./words-lead";

const SIGNS: Record<string, string> = { "*": "×", "/": "÷", "-": "−", "+": "+" };

export function Explanation({ figure, close }: { figure: LeadFigure; close: () => void }) {
  const [text, unit] = quantity(figure.value, figure.unit);
  return (
    <Dialog title={named(figure)} close={close}>
      <div class="explanation">
        <p class={`explained ${figure.tone}`}>
          <b class="figures">{text}</b> {unit}
        </p>
        <p class="note">{named(figure.note)}</p>
        <h3>{t("formula")}</h3>
        <Formula figure={figure} />
        <h3>{t("inputs")}</h3>
        <ul class="inputs">
          {figure.inputs.map((input) => (
            <Input key={input.name} input={input} />
          ))}
        </ul>
      </div>
    </Dialog>
  );
}

function Formula({ figure }: { figure: LeadFigure }) {
  const names = new Map(figure.inputs.map((input) => [input.name, named(input)]));
  const parts = figure.expression.match(/[a-z_]+|[\d.]+|[()*/+-]/g) ?? [];
  return (
    <p class="formula">
      {named(figure)} ={" "}
      {parts.map((part, index) => {
        const name = names.get(part);
        return name ? <b key={index}>{name}</b> : ` ${SIGNS[part] ?? part} `;
      })}
    </p>
  );
}

function Input({ input }: { input: FigureInput }) {
  const [text, unit] = quantity(input.value, input.unit);
  return (
    <li class={input.value === null ? "unknown" : undefined}>
      <p>
        <span>{named(input)}</span>
        <b class="figures">
          {text} <i>{unit}</i>
        </b>
      </p>
      {input.why && (
        <small>
          {t("why", { words: named(input.why) })}
        </small>
      )}
      <small class="source">
        {t("source", { words: named(input.source) })} · {input.at === null ? t("fixed") : <When at={input.at} ago={false} />}
      </small>
      {input.items.length > 0 && (
        <details>
          <summary>{t("itemsN", { n: input.items.length })}</summary>
          <ul class="items">
            {input.items.map((item, index) => (
              <li key={index}>{named(item)}</li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

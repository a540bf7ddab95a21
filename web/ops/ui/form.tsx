/**
 * A form that says what the server says. Its values come from the fields' names:
 *
 *     <Form send={(values) => post("/api/desk/report", values)} done={reload} label={t("report")}>
 *       <Field name="what" label={t("what")} required multi />
 *     </Form>
 */
import type { ComponentChildren, JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { wordsOf } from "./data";
import { t } from "./words";

export type Values = Record<string, string>;

export interface FormProps<T> {
  /** What sends it; its refusal is shown in its own words. */
  send: (values: Values) => Promise<T>;
  /** After it was accepted. */
  done?: (answer: T) => void;
  /** Words of the button. */
  label?: string;
  cancel?: () => void;
  /** Keep what was typed after it was accepted. */
  keep?: boolean;
  danger?: boolean;
  children: ComponentChildren;
}

export function Form<T>({ send, done, label, cancel, keep, danger, children }: FormProps<T>) {
  const [problem, setProblem] = useState("");
  const [sending, setSending] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const values: Values = {};
    for (const [name, value] of new FormData(form)) if (typeof value === "string") values[name] = value.trim();
    setSending(true);
    setProblem("");
    try {
      const answer = await send(values);
      if (!keep) form.reset();
      done?.(answer);
    } catch (error) {
      setProblem(wordsOf(error));
    } finally {
      setSending(false);
    }
  };
  return (
    <form class="form" onSubmit={(event) => void submit(event)}>
      {children}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="form-end">
        <button type="submit" class={danger ? "main danger" : "main"} disabled={sending}>
          {sending ? t("sending") : (label ?? t("send"))}
        </button>
        {cancel && (
          <button type="button" onClick={cancel}>
            {t("cancel")}
          </button>
        )}
      </div>
    </form>
  );
}

export interface FieldProps {
  name: string;
  label: string;
  /** A line of text by default; else one of HTML's own kinds. */
  type?: "text" | "password" | "number" | "tel" | "email" | "date" | "datetime-local" | "time" | "month" | "url";
  value?: string;
  required?: boolean;
  /** Several lines of text. */
  multi?: boolean;
  /** Choices: value and words. */
  options?: readonly (readonly [value: string, words: string])[];
  help?: string;
  placeholder?: string;
  autocomplete?: string;
  maxLength?: number;
  min?: string | number;
  max?: string | number;
  focus?: boolean;
  onChange?: (value: string) => void;
}

export function Field({ name, label, type = "text", value, required, multi, options, help, focus, onChange, ...rest }: FieldProps) {
  const id = useId();
  const shared = {
    id,
    name,
    required: required ?? false,
    autoFocus: focus ?? false,
    "aria-describedby": help ? `${id}-help` : undefined,
    onInput: (event: { currentTarget: { value: string } }) => onChange?.(event.currentTarget.value),
  };
  const attributes = Object.fromEntries(Object.entries(rest).filter(([, given]) => given !== undefined));
  return (
    <p class="field">
      <label for={id}>
        {label}
        {required && <small> {t("required")}</small>}
      </label>
      {options ? (
        <select {...shared} defaultValue={value ?? ""}>
          {options.map(([one, words]) => (
            <option key={one} value={one} selected={one === value}>
              {words}
            </option>
          ))}
        </select>
      ) : multi ? (
        <textarea {...shared} {...attributes} rows={3} defaultValue={value ?? ""} />
      ) : (
        <input {...({ ...shared, ...attributes, type, defaultValue: value ?? "" } as JSX.IntrinsicElements["input"])} />
      )}
      {help && <small id={`${id}-help`}>{help}</small>}
    </p>
  );
}

/** A box over the page; Escape, a press beside it or its button close it. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../shell/words";

export interface DialogProps {
  title: string;
  close: () => void;
  /** At the head of the page rather than in its middle. */
  top?: boolean;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, close, top, wide, children }: DialogProps) {
  const place = useRef<HTMLDialogElement>(null);
  // Before anything is painted: a key pressed meanwhile is the box's already.
  useLayoutEffect(() => {
    const before = document.activeElement;
    place.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog
      ref={place}
      class={`box ${top ? "top-box" : ""} ${wide ? "wide-box" : ""}`}
      aria-label={title}
      onClose={close} // also when the browser closes it by itself, which Escape may do without asking
      onClick={(event) => event.target === place.current && close()}
    >
      <header>
        <h2>{title}</h2>
        <button class="plain" aria-label={t("close")} onClick={close}>
          ✕
        </button>
      </header>
      <div class="box-body">{children}</div>
    </dialog>
  );
}


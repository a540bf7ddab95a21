/** What somebody sees who is not signed in. */
import { refusal } from "../shell/session";
import { t } from "../words";

export function SignIn() {
  return (
    <main class="sign-in">
      <h1>{t("signInTitle")}</h1>
      {refusal.value && <p class="refusal">{refusal.value}</p>}
      <p>{t("signInHow")}</p>
      <pre>sanwang ops-link</pre>
    </main>
  );
}

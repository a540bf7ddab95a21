/** Sign out: the server forgets the session, and the page what it knew. */
import { del } from "../../shared/api";
import { signedOut } from "./session";

export async function leave(): Promise<void> {
  try {
    await del("/api/session");
  } finally {
    signedOut();
  }
}

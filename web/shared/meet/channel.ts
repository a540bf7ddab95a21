/** The signalling WebSocket (docs/protocol.md): requests with answers, notifications, and a ping every second. */

export const PROTOCOL = "sanwang.meet.1";
const ANSWER_MS = 5_000;
const PING_MS = 1_000;
const SILENT_MS = 3_500;

export class Refusal extends Error {
  constructor(
    readonly code: string,
    text: string,
    readonly zh = "",
  ) {
    super(text);
    this.name = "Refusal";
  }
}

interface Answer {
  id?: number | null;
  type?: string;
  data?: unknown;
  error?: { code: string; text: string; zh?: string };
}

interface Waiting {
  resolve(data: unknown): void;
  reject(error: Error): void;
  timer: number;
}

export interface Events {
  notified(type: string, data: Record<string, unknown>): void;
  closed(): void;
}

export class Channel {
  private number = 0;
  private readonly waiting = new Map<number, Waiting>();
  private heard = performance.now();
  private pinging: number | undefined;
  private over = false;
  private welcomed = false; // before that whoever opened it is told, and nobody else

  private constructor(
    private readonly socket: WebSocket,
    private readonly events: Events,
  ) {
    socket.onmessage = (event) => this.receive(String(event.data));
    socket.onclose = () => this.end();
  }

  /**
   * Connect to a server ("https://10.32.2.6") and say hello; resolves with the welcome, rejects with a Refusal: "away" when
   * no server answers for so long, "closed" when one does and ends it.
   */
  static open<W>(
    hello: Record<string, unknown>,
    events: Events,
    server: string,
    mostMs: number,
  ): Promise<{ channel: Channel; welcome: W }> {
    const url = new URL("/meet/ws", server);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, PROTOCOL);
    return new Promise((resolve, reject) => {
      const timer = window.setTimeout(() => {
        socket.close();
        reject(new Refusal("away", "no answer"));
      }, mostMs);
      socket.onclose = () => {
        window.clearTimeout(timer);
        reject(new Refusal("away", "closed"));
      };
      socket.onopen = () => {
        window.clearTimeout(timer); // from now on the answer to hello is waited for
        const channel = new Channel(socket, events);
        channel.request<W>("hello", hello).then(
          (welcome) => {
            channel.welcomed = true;
            channel.pinging = window.setInterval(() => channel.ping(), PING_MS);
            resolve({ channel, welcome });
          },
          (error: unknown) => {
            channel.drop();
            reject(error as Error);
          },
        );
      };
    });
  }

  request<T>(type: string, data: Record<string, unknown> = {}): Promise<T> {
    if (this.over) return Promise.reject(new Refusal("away", "closed"));
    const id = ++this.number;
    return new Promise<T>((resolve, reject) => {
      const timer = window.setTimeout(() => {
        this.waiting.delete(id);
        reject(new Refusal("away", `${type}: no answer`));
      }, ANSWER_MS);
      this.waiting.set(id, { resolve: resolve as (data: unknown) => void, reject, timer });
      this.socket.send(JSON.stringify({ id, type, data }));
    });
  }

  /** Close without telling `closed`. */
  drop(): void {
    this.over = true;
    window.clearInterval(this.pinging);
    this.socket.onclose = null;
    this.socket.onmessage = null;
    this.socket.close();
    this.fail();
  }

  /** Whether the connection still stands, asked now: after sleep, or when the network came back. */
  ping(): void {
    if (performance.now() - this.heard > SILENT_MS) {
      this.drop();
      this.events.closed();
      return;
    }
    this.request("ping").catch(() => undefined);
  }

  private receive(text: string): void {
    this.heard = performance.now();
    const message = JSON.parse(text) as Answer;
    if (message.type !== undefined) {
      this.events.notified(message.type, (message.data ?? {}) as Record<string, unknown>);
      return;
    }
    const waiting = this.waiting.get(message.id ?? -1);
    if (!waiting) return;
    this.waiting.delete(message.id ?? -1);
    window.clearTimeout(waiting.timer);
    if (message.error) waiting.reject(new Refusal(message.error.code, message.error.text, message.error.zh));
    else waiting.resolve(message.data);
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    window.clearInterval(this.pinging);
    this.fail(this.welcomed ? "away" : "closed");
    if (this.welcomed) this.events.closed();
  }

  private fail(code = "away"): void {
    for (const { reject, timer } of this.waiting.values()) {
      window.clearTimeout(timer);
      reject(new Refusal(code, "closed"));
    }
    this.waiting.clear();
  }
}

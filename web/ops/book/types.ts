/** Documents of /api/meet that booking reads (docs/protocol.md). */
export interface Words {
  zh: string;
  en: string;
}

export interface Group extends Words {
  name: string;
  halls: string[];
}

export interface HallRow extends Words {
  code: string;
  site: string;
}

export interface Halls {
  groups: Group[];
  halls: HallRow[];
}

export interface Capacity {
  ok: boolean;
  hall_up_bps: number;
  hall_down_bps: number;
  words: Words[];
  single: Record<string, string[]>;
}

export interface Clash extends Words {
  hall: string;
  meeting: number;
}

export interface Checked {
  starts: string[];
  clashes: Clash[];
  capacity: Capacity;
}

export interface Booked {
  id: number;
  title: string;
  start: string;
  end: string;
  halls: string[];
  main: string;
  chair: string;
  cancelled: boolean;
  ended: boolean;
  series: number | null;
  capacity: Capacity | null;
}

/** What is asked for; a change leaves out what stays. */
export interface Asked {
  title: string;
  start: string;
  minutes: number;
  halls: string[];
  main: string;
  repeat: string;
  force: boolean;
}

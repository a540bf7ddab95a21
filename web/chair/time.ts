/** Durations and times of day as the desk shows them. */
const two = (value: number): string => String(value).padStart(2, "0");

/** 65 -> "1:05", 3700 -> "1:01:40". */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Of a moment in UNIX seconds, local. */
export function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

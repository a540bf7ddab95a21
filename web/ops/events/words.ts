import { say, words, type Pair } from "../../shared/i18n";

export const t = words({
  title: ["事件", "Events"],
  sub: ["代理、系统日志、SNMP 陷阱与故障的统一记录，保存六个月，每六小时加封", "One record of agents, syslog, SNMP traps and faults; kept for six months, sealed every six hours"],
  words: ["包含文字", "Holding the words"],
  subject: ["链路或设备", "Link or host"],
  kind: ["类别", "Kind"],
  all: ["全部", "All"],
  span: ["时间范围", "Span"],
  hour: ["一小时", "One hour"],
  day: ["一天", "One day"],
  week: ["一周", "One week"],
  month: ["一个月", "One month"],
  half: ["六个月", "Six months"],
  at: ["时间", "Time"],
  what: ["内容", "What"],
  repeated: ["（另有 {n} 条相同）", "(and {n} the same)"],
  none: ["这段时间内没有这样的事件", "No such event in this span"],
  more: ["更早的事件", "Older events"],
});

const KIND: Record<string, Pair> = {
  fault: ["故障", "fault"],
  link: ["链路", "link"],
  host: ["设备", "device"],
  service: ["系统进程", "daemon"],
  bfd: ["BFD 会话", "BFD session"],
  ospf: ["OSPF 邻居", "OSPF neighbour"],
  bgp: ["BGP 邻居", "BGP neighbour"],
  tunnel: ["VPN 隧道", "VPN tunnel"],
  route: ["默认路由", "default route"],
  syslog: ["系统日志", "syslog"],
  trap: ["SNMP 陷阱", "SNMP trap"],
  snmp: ["SNMP 代理", "SNMP agent"],
  "check-failed": ["业务检查", "service check"],
  "wrong-neighbour": ["接错线缆", "wrong neighbour"],
  "rogue-dhcp": ["非法 DHCP", "rogue DHCP"],
  ticket: ["工单", "ticket"],
  message: ["消息投递", "message"],
  flood: ["消息过多", "flood"],
};

const STATE: Record<string, Pair> = {
  up: ["正常", "up"],
  down: ["中断", "down"],
  unknown: ["未知", "unknown"],
  opened: ["发生", "opened"],
  changed: ["变化", "changed"],
  cleared: ["恢复", "cleared"],
  acknowledged: ["已确认", "acknowledged"],
  found: ["发现", "found"],
  gone: ["消失", "gone"],
};

export const KINDS = Object.keys(KIND);
/** A kind in the reader's language; one that has no word of its own as it is. */
export const kindOf = (kind: string): string => (KIND[kind] ? say(KIND[kind]) : kind);
/** A state in the reader's language; what a box itself said stays as it was said. */
export const stateOf = (state: string): string => (STATE[state] ? say(STATE[state]) : state);

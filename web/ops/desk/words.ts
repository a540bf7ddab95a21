/** Words of alerts, tickets, reports and shifts, Chinese first. */
import { say, words, type Pair } from "../../shared/i18n";

export const t = words({
  alerts: ["告警", "Alerts"],
  open: ["未恢复", "Open"],
  history: ["历史", "History"],
  noFaults: ["没有未恢复的故障", "No fault is open"],
  noHistory: ["这段时间没有故障", "No fault in this time"],
  otherAlerts: ["其他告警", "Other alerts"],
  noOther: ["没有其他告警", "No other alert"],
  alertsSilent: ["告警状态未知:Alertmanager 没有应答", "Unknown: Alertmanager does not answer"],
  soundOn: ["声音:开", "Sound on"],
  soundOff: ["声音:关", "Sound off"],
  from: ["{time} 起", "Since {time}:"],
  acknowledge: ["确认", "Acknowledge"],
  acknowledged: ["{who} 已确认({time}):{why}", "{who} looks after it ({time}): {why}"],
  whatIsDone: ["正在怎么处理", "What is being done"],
  children: ["由它引起 {n} 处", "{n} that follow from it"],
  inWindow: ["维护窗口内", "In a maintenance window"],
  lasted: ["历时 {time}", "Lasted {time}"],
  going: ["已 {time}", "For {time}"],
  noImpact: ["业务不受影响", "no service suffers"],
  sitesCut: ["中断站点:{names}", "out of service: {names}"],
  networksCut: ["网络中断:{names}", "a network is out at: {names}"],
  unprotected: ["失去保护:{names}", "on their last line: {names}"],
  hallsRerouted: ["{n} 个会场改走备用路径{spare}", "{n} halls on a backup path{spare}"],
  hallsCut: ["{n} 个会场中断", "{n} halls cut off"],
  spare: [",余量 {rate}", ", {rate} spare"],
  meeting: ["{time}「{title}」{what}", "“{title}” at {time}: {what}"],
  meetingNow: ["「{title}」{what}", "“{title}”: {what}"],
  goesOn: ["不受影响", "goes on"],
  servicesMoved: ["切换到备份中心:{names}", "on their backup centre: {names}"],
  servicesLost: ["业务系统中断:{names}", "services lost: {names}"],
  ticketN: ["工单 {id}", "Ticket {id}"],
  state: ["状态", "State"],
  all: ["全部", "All"],
  severity: ["级别", "Severity"],
  kind: ["类别", "Kind"],
  fault: ["故障", "Fault"],
  began: ["发生", "Began"],
  ended: ["恢复", "Ended"],
  period: ["时间", "Period"],
  day: ["24 小时", "24 hours"],
  week: ["7 天", "7 days"],
  month: ["31 天", "31 days"],
  year: ["一年", "A year"],
  windows: ["维护窗口", "Maintenance windows"],
  noWindows: ["没有维护窗口", "No maintenance window"],
  openWindow: ["开维护窗口", "Open a window"],
  endWindow: ["提前结束", "End it now"],
  windowSite: ["站点(全部设备)", "Site (all its boxes)"],
  windowLink: ["线路", "Link"],
  windowMinutes: ["时长(分钟)", "Minutes"],
  windowWhy: ["做什么", "What is done"],
  windowEndWhy: ["说明", "Remark"],
  planned: ["计划", "Planned"],
  running: ["进行中", "Running"],
  overNow: ["已结束", "Over"],
  nextStep: ["先做:{words}", "First: {words}"],
  lossOf: ["丢包 {n} %", "loses {n} %"],
  delayOf: ["时延增加 {n} ms", "{n} ms slower"],
  onlyOf: ["只剩 {rate}", "carries only {rate}"],
  orElse: ["或者是 {names}", "or it is {names}"],
  limits: ["临近的限度", "Limits that come near"],
  noLimits: ["90 天内没有到限的光缆和线路", "No fibre or line meets its limit within 90 days"],
  lightDays: ["光功率余量还剩 {n} 天", "light margin gone in {n} days"],
  lightMore: ["收光 {rx} dBm,余量 {margin} dB", "receives {rx} dBm, {margin} dB above the limit"],
  fullDays: ["{n} 天后占满", "full in {n} days"],
  fullMore: ["日高峰占用 {share} %", "{share} % in the day's peak"],
  moreThere: ["只列出最近 {n} 条", "Only the newest {n}"],
});

export const SEVERITY: Record<string, Pair> = { critical: ["严重", "Critical"], warning: ["一般", "Warning"] };

/** Kinds of faults; `{what}` is what stands there, `{name}` its name. */
export const FAULT: Record<string, Pair> = {
  "link-down": ["{what} {name} 中断", "{what} {name} is down"],
  "link-silent": ["{what} {name} 有光不通", "{what} {name} has light and carries nothing"],
  "link-flap": ["{what} {name} 时断时续", "{what} {name} goes up and down"],
  "link-degraded": ["{what} {name} 劣化", "{what} {name} is degraded"],
  "duct-cut": ["管道 {name} 被挖断", "Duct {name} is cut"],
  "host-down": ["设备 {name} 停机", "Device {name} is down"],
  "host-unreachable": ["设备 {name} 失去联系", "Device {name} cannot be reached"],
  "site-down": ["站点 {name} 全部设备停机", "Site {name}: all boxes are down"],
  "service-down": ["进程 {name} 停止", "Daemon {name} does not run"],
  "tunnel-down": ["VPN 隧道 {name} 中断", "VPN tunnel {name} is down"],
};

/** What to do first. */
export const NEXT: Record<string, Pair> = {
  "link-down": ["比对两端收光,再派抢修队沿管道查找", "compare the light at both ends, then send a crew along the duct"],
  "cable-down": ["看端口是不是被关了(sanwang history、sanwang drift),再看跳线", "was the port shut (sanwang history, sanwang drift)? then the patch cable"],
  "link-silent": ["两端有光,查两端端口和 BFD,再换光模块", "both ends have light: look at ports and BFD, then change the modules"],
  "link-flap": ["查接头和尾纤,再换光模块", "look at connectors and pigtails, then change the modules"],
  "link-degraded": ["看收光和错包,清洁接头;会议可先改期或少开视频", "look at light and errors, clean the connectors; meetings may send less video meanwhile"],
  "duct-cut": ["派抢修队到管道,几条光缆一起断的地方多半在施工", "send a crew to the duct: several fibres at once are mostly digging"],
  "host-down": ["打电话问站点电源和机房,坏了用 sanwang replace 换", "ask the site about power and the room; a dead box: sanwang replace"],
  "host-unreachable": ["设备有电,查管理网和路由", "it has power: look at the management network and routing"],
  "site-down": ["打电话问站点是否停电", "telephone the site: is there power"],
  "service-down": ["看设备上的日志,进程会自己重启", "read the log on the device; the daemon is restarted by itself"],
  "tunnel-down": ["查站点宽带和盒子的电源", "look at the site's broadband and its box's power"],
};

export const LINE: Pair = ["线路", "Line"];
export const FIBRE: Pair = ["光缆", "Fibre"];

/** A word of a table by its key; the key itself when the table has none. */
export const word = (table: Record<string, Pair>, key: string): string => (table[key] ? say(table[key]) : key);

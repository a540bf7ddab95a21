/** Words of what stands around every page. */
import { words } from "../../shared/i18n";

export const t = words({
  menu: ["页面", "Pages"],
  more: ["更多", "More"],
  close: ["关闭", "Close"],
  signOut: ["退出登录", "Sign out"],
  signedInAs: ["{name} 已登录", "Signed in: {name}"],
  notAllowed: ["您无权查看此页", "This page is not yours to see"],
  notAllowedMore: ["帐号 {login} 没有查看此页的权限;需要时请向安全管理员申请。", "The account {login} has no right to it; the security administrator hands out rights."],
  noSuchPage: ["没有这个页面", "There is no such page"],
  noSuchPageMore: ["地址写错了,或者该页面已经移走。", "The address is mistyped, or the page has moved."],
  search: ["搜索", "Search"],
  searchHint: ["站点、链路、设备、会场、业务、工单或地址", "Site, link, device, hall, service, ticket or address"],
  searching: ["正在搜索…", "Searching…"],
  nothingFound: ["没有找到“{words}”", "Nothing found for “{words}”"],
  help: ["快捷键", "Keys"],
  helpAnywhere: ["在任何页面", "On every page"],
  helpPages: ["前往页面", "Go to a page"],
  helpTables: ["列表", "In lists"],
  keySearch: ["搜索", "Search"],
  keyHelp: ["显示本帮助", "This help"],
  keyScreen: ["大屏模式", "Big-screen mode"],
  keyLanguage: ["切换语言", "Other language"],
  keyBack: ["关闭或返回", "Close, or back"],
  keyArrows: ["移动焦点(遥控器方向键相同)", "Move the focus, as a remote control does"],
  keyEnter: ["打开", "Open"],
  keyNumber: ["菜单中的第几页", "The menu's n-th page"],
  keyFilter: ["筛选当前列表", "Filter the list"],
});

/** Kinds of what the search finds. */
export const FOUND: Record<string, readonly [string, string]> = {
  page: ["页面", "Page"],
  site: ["站点", "Site"],
  link: ["链路", "Link"],
  duct: ["管道", "Duct"],
  host: ["设备", "Device"],
  hall: ["会场", "Hall"],
  service: ["业务", "Service"],
  organisation: ["单位", "Body"],
  meeting: ["会议", "Meeting"],
  ticket: ["工单", "Ticket"],
};

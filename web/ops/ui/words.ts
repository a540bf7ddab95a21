/** Words of the parts that pages are made of. */
import { words } from "../../shared/i18n";

export const t = words({
  loading: ["正在读取…", "Loading…"],
  stale: ["以下为 {time} 的数据:{why}", "As of {time}: {why}"],
  ago: ["{time}前", "{time} ago"],
  in: ["{time}后", "in {time}"],
  filter: ["筛选", "Filter"],
  nothing: ["没有符合条件的记录", "Nothing fits"],
  ofAll: ["第 {from}–{to} 条,共 {n} 条", "{from}–{to} of {n}"],
  next: ["下一页", "Next"],
  previous: ["上一页", "Previous"],
  send: ["提交", "Send"],
  sending: ["正在提交…", "Sending…"],
  cancel: ["取消", "Cancel"],
  required: ["必填", "required"],
});

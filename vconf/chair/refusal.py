"""Why an action is refused, in Chinese and English."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "bad": ("参数不对：{what}", "{what}"),
    "unknown": ("没有这个会场：{what}", "there is no venue {what!r}"),
    "absent": ("{what} 不在会", "{what} is not in the meeting"),
    "chair-only": ("只有主席可以这样做", "only the chair may do this"),
    "council-only": ("只有主席或联席主席可以这样做", "only the chair or a co-chair may do this"),
    "own-only": ("会场只能为自己这样做", "a venue may do this for itself only"),
    "venue-only": ("这是会场的操作，控制台没有会场", "this is for a venue, and a console is none"),
    "view-fixed": ("主席没有允许本会场选看", "the chair has not let this venue choose what it watches"),
    "no-floor": ("请先申请发言", "ask for the floor first"),
    "taken": ("{what} 正在演示", "{what} is showing slides"),
    "nothing": ("没有可撤销的操作", "there is nothing to undo"),
    "stale": ("另一位主席刚刚改变了画面，请看清后再操作", "another chair has just changed this: look, then try again"),
    "ended": ("会议已结束", "the meeting is over"),
    "recorded": ("会议正在录制", "the meeting is being recorded already"),
    "not-recorded": ("会议没有在录制", "the meeting is not being recorded"),
    "chair-venue": ("主席所在的会场不能这样处理", "not for the venue that the chair speaks from"),
    "full": ("最多 {what} 位来宾", "at most {what} guests"),
    "alone": ("本级正独立开会，等上级恢复后再做", "this tier is on its own: when the one above is back"),
    "long": ("会议最长 12 小时", "a meeting lasts at most 12 hours"),
}


class Refused(Exception):
    """An action that is not done: ``code``, and the reason in both languages; str() is English."""

    def __init__(self, code: str, what: str = "") -> None:
        zh, en = WORDS[code]
        self.code = code
        self.zh = zh.format(what=what)
        self.en = en.format(what=what)
        super().__init__(self.en)

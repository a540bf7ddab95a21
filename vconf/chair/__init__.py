"""The chair's rules: a pure state machine that says who is shown, heard and let in (docs/protocol.md).

``state`` holds what is true, ``rules.act`` changes it or refuses, ``view`` says what follows from it for one
participant, ``oracle`` says the same in another way, for tests and drills.
"""

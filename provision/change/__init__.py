"""The life of a change: plan, approve, apply, prove, undo.

``plan`` holds what a plan is, ``planner`` makes one from a running county; ``stages``, ``touches`` and ``risk`` are
what it says about itself (pure functions of the model), ``approval`` is the second person's signature.
"""

"""The meetings that are going on in one signalling process.

``rooms`` who comes and goes, ``streams`` what pages ask about media, ``conferences`` the chair's state and its place in
the store, ``enforce`` what the relay must do so that the state is true, ``stays``
the attendance.
"""

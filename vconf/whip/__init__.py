"""Other programs' media by HTTP and SDP: WHIP in (RFC 9725), WHEP out (draft-ietf-wish-whep).

``tickets`` are the links that open the door, ``door`` the HTTP around it, ``sessions`` what is going on, ``rest`` the
links over ``/api/meet``.  ``sdp`` reads offers and writes answers and is imported when the first one comes; ``wire`` is
what is known without it.
"""

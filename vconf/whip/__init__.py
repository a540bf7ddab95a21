"""Other programs' media by HTTP and SDP: WHIP in (RFC 9725), WHEP out (draft-ietf-wish-whep).

``sdp`` reads offers and writes answers, ``tickets`` are the links that open the door, ``sessions`` what is going on,
``door`` the HTTP around it.
"""

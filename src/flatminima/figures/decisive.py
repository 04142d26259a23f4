"""stub"""

TITLE = "x"

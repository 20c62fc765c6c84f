"""New images put to the networks of a finished run: scores, places and findings in words.

`job` tells the story; `pictures` reads the images, `networks` makes the run's networks ready,
`answers` asks them, `page` and `capture` show what they answered.
"""

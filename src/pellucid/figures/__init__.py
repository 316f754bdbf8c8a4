"""What pictures and pages of every floor share: the look, training curves, pieces of HTML.

It stands on the ground floor, so that a history can draw itself. The other pictures are in
`pellucid.viz`.
"""

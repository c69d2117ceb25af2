"""How loads are told to people: what the command line and the page must both say."""

LOAD_TEXTS = (
    (0, "0"),
    (0.00123456, "0.001235"),
    (119.6227, "119.6"),
    (726.483, "726.5"),
    (999.97, "1000"),
    (1059.85, "1060"),
    (12345.6, "12346"),
    (-30.25, "-30.25"),
)

"""Units of length, as metadata name them."""

# Nanometres of a unit, by its names. The prefixes are those of metre.
_PREFIXES = {
    "yocto": ("y", 1e-15),
    "zepto": ("z", 1e-12),
    "atto": ("a", 1e-9),
    "femto": ("f", 1e-6),
    "pico": ("p", 1e-3),
    "nano": ("n", 1.0),
    "micro": ("u", 1e3),
    "milli": ("m", 1e6),
    "centi": ("c", 1e7),
    "deci": ("d", 1e8),
    "": ("", 1e9),
    "hecto": ("h", 1e11),
    "kilo": ("k", 1e12),
    "mega": ("M", 1e15),
    "giga": ("G", 1e18),
    "tera": ("T", 1e21),
    "peta": ("P", 1e24),
    "exa": ("E", 1e27),
    "zetta": ("Z", 1e30),
    "yotta": ("Y", 1e33),
}
# https://ngff.openmicroscopy.org/0.5/#axes-md lists the units of length that OME-NGFF allows.
_OTHERS = {
    "angstrom": 0.1,
    "ångström": 0.1,
    "å": 0.1,
    "micron": 1e3,
    "inch": 2.54e7,
    "inches": 2.54e7,
    "foot": 3.048e8,
    "feet": 3.048e8,
    "yard": 9.144e8,
    "mile": 1.609344e12,
    "parsec": 3.0856775814913673e25,
    # both characters that look like the Greek letter
    "\N{MICRO SIGN}m": 1e3,
    "\N{GREEK SMALL LETTER MU}m": 1e3,
}
_SYMBOLS = {f"{symbol}m": nm for symbol, nm in _PREFIXES.values()}
_NAMES = _OTHERS | {
    f"{prefix}{metre}": nm for prefix, (_, nm) in _PREFIXES.items() for metre in ("meter", "metre")
}


def nanometres(unit: str) -> float | None:
    """The length of a unit in nm, or None if it is not a unit of length.

    Names may be plural and in upper or lower case. The case of symbols matters: mm is not Mm.
    """
    unit = unit.strip()
    name = unit.casefold()
    for known, key in ((_SYMBOLS, unit), (_NAMES, name), (_NAMES, name.removesuffix("s"))):
        if key in known:
            return known[key]
    return _SYMBOLS.get(name)

"""The requests, and the answers that RFC 9110 allows an origin server that has a file.

Words in braces are filled in from what the server itself says about the file; see `Known.words`.
A full implementation gives one of the answers in `ok`. Those in `choices` the RFC allows as well.
"""

from dataclasses import dataclass

from .answers import (
    CACHE_FIELDS,
    REPRESENTATION_FIELDS,
    Answer,
    allow_with_405,
    dated,
    expect,
    has,
    lacks,
    not_from_the_future,
    not_modified,
    not_status,
    part,
    parts,
    same,
    small,
    true_length,
    unsatisfiable,
    whole,
)

MUST, SHOULD, MAY, OUGHT = "MUST", "SHOULD", "MAY", "ought to"
FILE, EMPTY, FUTURE, MISSING = "episode.mp3", "empty.mp3", "future.mp3", "missing.mp3"


@dataclass(frozen=True)
class Row:
    """One request, and what may be answered to it."""

    name: str
    section: str  # of RFC 9110
    level: str
    headers: str  # as they go over the wire, one a line
    ok: tuple[Answer, ...]
    choices: tuple[Answer, ...] = ()
    method: str = "GET"
    file: str = FILE
    body: bytes = b""
    replaced: bool = False  # the file is, within a second, by other bytes of the same length

    @property
    def link(self) -> str:
        """The section, in the RFC Editor's text."""
        return f"https://www.rfc-editor.org/rfc/rfc9110#section-{self.section}"


NOT_RANGED = (whole("Range ignored, as §14.2 allows"),)
TYPE_KEPT = expect(
    206,
    "Content-Type alone repeated: WSGI wants one, and browsers told not to sniff need it",
    lacks(*REPRESENTATION_FIELDS[1:]),
)
FAILED = (expect(412, "precondition failed"),)
WHOLE, HIT, UNSATISFIABLE = (whole(),), (not_modified(),), (unsatisfiable(),)
MALFORMED = (  # §14.2: "MAY ignore or reject"
    whole("ignored"),
    expect(416, "rejected"),
    expect(400, "rejected"),
)
MANY = (*MALFORMED, expect(206, "served in part", small))
OTHER_METHOD = (expect(None, "neither partial nor conditional", not_status(206, 304, 412, 416)),)


def ranged(name: str, section: str, level: str, value: str, ok: Answer, file: str = FILE) -> Row:
    """A valid `Range`; that a server ignores it is allowed."""
    return Row(name, section, level, f"Range: {value}", (ok,), NOT_RANGED, file=file)


def malformed(name: str, value: str, *recovered: Answer) -> Row:
    """An invalid `Range`; §2.4 allows to recover something usable from it."""
    return Row(f"malformed: {name}", "14.2", MAY, f"Range: {value}", MALFORMED, recovered)


def recovered(start: int, stop: int) -> Answer:
    """What a lenient reader may make of an invalid `Range`."""
    return part(start, stop, "taken for a valid range (§2.4)")


# fmt: off
ROWS = [
    # Plain answers
    Row("200: the whole file", "15.3.1", MUST, "", WHOLE),
    Row("200: empty file", "15.3.1", MUST, "", WHOLE, file=EMPTY),
    Row("200: one Date", "6.6.1", MUST, "", (expect(200, "dated", dated),)),
    Row("200: ETag", "8.8.3", SHOULD, "", (expect(200, "ETag", has("etag")),)),
    Row("200: Last-Modified", "8.8.2.1", SHOULD, "", (expect(200, "Last-Modified", has("last-modified")),)),
    Row("200: Last-Modified not later than Date", "8.8.2.1", MUST, "", (expect(200, "not later", not_from_the_future),), file=FUTURE),
    Row("200: Accept-Ranges", "14.3", MAY, "", (expect(200, "announced", has("accept-ranges", "bytes")),), (expect(200, "not announced", lacks("accept-ranges")),)),
    Row("HEAD: the fields of GET", "9.3.2", SHOULD, "", (expect(200, "same fields", same(*CACHE_FIELDS, *REPRESENTATION_FIELDS, "content-length", "accept-ranges")),), method="HEAD"),
    Row("HEAD: no body", "9.3.2", MUST, "", WHOLE, method="HEAD"),

    # Single ranges
    ranged("range: first bytes", "14.2", SHOULD, "bytes=0-99", part(0, 100)),
    ranged("range: middle", "14.2", SHOULD, "bytes=5000-5999", part(5000, 6000)),
    ranged("range: open-ended", "14.1.2", SHOULD, "bytes=15000-", part(15000)),
    ranged("range: all of it, open", "14.1.2", SHOULD, "bytes=0-", part(0)),
    ranged("range: all of it, closed", "14.1.2", SHOULD, "bytes=0-{last}", part(0)),
    ranged("range: suffix", "14.1.2", SHOULD, "bytes=-500", part(-500)),
    ranged("range: first byte", "14.1.2", SHOULD, "bytes=0-0", part(0, 1)),
    ranged("range: last byte by position", "14.1.2", SHOULD, "bytes={last}-{last}", part(-1)),
    ranged("range: last byte, open", "14.1.2", SHOULD, "bytes={last}-", part(-1)),
    ranged("range: last byte by suffix", "14.1.2", SHOULD, "bytes=-1", part(-1)),
    ranged("range: clipped at the end", "14.1.2", SHOULD, "bytes=15000-999999", part(15000)),
    ranged("range: last-pos = length", "14.1.2", SHOULD, "bytes=15000-{size}", part(15000)),
    ranged("range: suffix = length", "14.1.2", SHOULD, "bytes=-{size}", part(0)),
    ranged("range: suffix longer than the file", "14.1.2", SHOULD, "bytes=-999999", part(0)),
    ranged("range: leading zeros", "14.1.1", SHOULD, "bytes=0000-0099", part(0, 100)),
    ranged("range: last-pos of 30 digits", "14.1.2", MUST, "bytes=0-" + 30 * "9", part(0)),
    ranged("range: last-pos of 5000 digits", "14.1.2", MUST, "bytes=0-" + 5000 * "9", part(0)),
    ranged("range: suffix of 30 digits", "14.1.2", MUST, "bytes=-" + 30 * "9", part(0)),
    ranged("range: unit in upper case", "14.1", SHOULD, "Bytes=0-99", part(0, 100)),
    ranged("range: first-pos = length", "15.5.17", SHOULD, "bytes={size}-", unsatisfiable()),
    ranged("range: past the end", "15.5.17", SHOULD, "bytes=999999-9999999", unsatisfiable()),
    ranged("range: first-pos of 30 digits", "15.5.17", SHOULD, f"bytes={30 * '9'}-", unsatisfiable()),
    ranged("range: suffix of nothing", "14.1.2", SHOULD, "bytes=-0", unsatisfiable()),
    ranged("range: empty file, open", "14.1.2", SHOULD, "bytes=0-", unsatisfiable(), EMPTY),
    ranged("range: empty file, first byte", "14.1.2", SHOULD, "bytes=0-0", unsatisfiable(), EMPTY),
    # Satisfiable, but no Content-Range can say so: there is no last-pos of -1. §14.2: "MAY ignore".
    Row("range: empty file, suffix", "14.1.2", SHOULD, "Range: bytes=-5", WHOLE, file=EMPTY),
    ranged("range: empty members after", "5.6.1", MUST, "bytes=0-99,", part(0, 100)),
    ranged("range: empty members before", "5.6.1", MUST, "bytes=, ,0-99", part(0, 100)),
    # The grammar as corrected by erratum 7306, in agreement with an example in §14.1.2
    Row("range: space after the equals sign", "14.1.2", SHOULD, "Range: bytes= 0-99", (part(0, 100),), (*NOT_RANGED, expect(416, "rejected by the grammar as printed"), expect(400, "rejected by the grammar as printed"))),
    Row("range: unknown unit", "14.2", MUST, "Range: nibbles=0-9", WHOLE),
    Row("range: unknown unit, other syntax", "14.2", MUST, "Range: nibbles=1.5~2.5", WHOLE),
    Row("range: unit that begins like bytes", "14.2", MUST, "Range: bytesize=0-9", WHOLE),
    Row("range: HEAD", "14.2", MUST, "Range: bytes=0-99", WHOLE, method="HEAD"),
    Row("range: HEAD, unsatisfiable", "14.2", MUST, "Range: bytes=999999-", WHOLE, method="HEAD"),
    Row("range: HEAD, several", "14.2", MUST, "Range: bytes=0-9,15000-15099", WHOLE, method="HEAD"),
    Row("range: POST", "14.2", MUST, "Range: bytes=0-99", OTHER_METHOD, method="POST"),
    Row("range: OPTIONS", "14.2", MUST, "Range: bytes=0-99", OTHER_METHOD, method="OPTIONS"),
    Row("range: missing file", "14.2", MUST, "Range: bytes=0-99", (expect(404, "not found"),), file=MISSING),
    Row("GET with Content-Range", "14.4", MUST, "Content-Range: bytes 0-4/20000", WHOLE),
    Row("PUT with Content-Range", "14.5", SHOULD, "Content-Range: bytes 0-4/5", (expect(400, "refused"),), (expect(405, "PUT is not allowed at all"), expect(403, "PUT is forbidden"), expect(501, "PUT is not implemented")), method="PUT", body=b"12345"),

    # Malformed
    malformed("plus sign", "bytes=+1-2", recovered(1, 3)),
    malformed("underscore", "bytes=1_0-20", recovered(10, 21)),
    malformed("last before first", "bytes=5-2"),
    malformed("letters", "bytes=a-b"),
    malformed("hexadecimal", "bytes=0x0-0x9", recovered(0, 10)),
    malformed("decimal point", "bytes=0-9.0", recovered(0, 10)),
    malformed("minus sign", "bytes=--5"),
    malformed("three numbers", "bytes=0-9-19", recovered(0, 10)),
    malformed("number alone", "bytes=7"),
    malformed("hyphen alone", "bytes=-"),
    malformed("superscript digit", "bytes=0-\xb2", recovered(0, 3)),
    malformed("Arabic-Indic digits", "bytes=\u0660-\u0664".encode().decode("latin-1"), recovered(0, 5)),
    malformed("no equals sign", "bytes 0-99", recovered(0, 100)),
    malformed("no unit", "0-99", recovered(0, 100)),
    malformed("no set", "bytes="),
    malformed("only commas", "bytes=, ,"),
    malformed("empty field", ""),
    malformed("space before the equals sign", "bytes =0-99", recovered(0, 100)),
    malformed("space in a range", "bytes=0 - 99", recovered(0, 100)),
    malformed("one bad member", "bytes=0-99,x-y", recovered(0, 100)),
    malformed("one reversed member", "bytes=0-99,9-5", recovered(0, 100)),

    # Several ranges
    ranged("ranges: two", "15.3.7.2", SHOULD, "bytes=0-99,15000-15099", parts((0, 100), (15000, 15100))),
    ranged("ranges: two, spaces and tabs", "5.6.1", MUST, "bytes=0-99 ,\t15000-15099", parts((0, 100), (15000, 15100))),
    ranged("ranges: two, empty members", "5.6.1", MUST, "bytes=0-99,, ,15000-15099", parts((0, 100), (15000, 15100))),
    ranged("ranges: parts in the order asked for", "15.3.7.2", SHOULD, "bytes=15000-15099,0-99", parts((15000, 15100), (0, 100))),
    ranged("ranges: start and suffix", "15.3.7.2", SHOULD, "bytes=0-99,-100", parts((0, 100), (19900, 20000))),
    ranged("ranges: five", "15.3.7.2", SHOULD, "bytes=0-9,4000-4009,8000-8009,12000-12009,16000-16009", parts(*((at, at + 10) for at in range(0, 20000, 4000)))),
    ranged("ranges: overlapping", "15.3.7.2", SHOULD, "bytes=0-99,50-149", parts((0, 100), (50, 150))),
    ranged("ranges: touching", "15.3.7.2", SHOULD, "bytes=0-99,100-199", parts((0, 100), (100, 200))),
    ranged("ranges: near", "15.3.7.2", SHOULD, "bytes=0-9,20-29", parts((0, 10), (20, 30))),
    ranged("ranges: one past the end", "14.1.2", SHOULD, "bytes=0-99,999999-", parts((0, 100))),
    ranged("ranges: all past the end", "15.5.17", SHOULD, "bytes=999999-,9999999-99999999", unsatisfiable()),
    Row("ranges: 1000 times everything", "17.15", OUGHT, "Range: bytes=" + ",".join(["0-"] * 1000), MANY),
    Row("ranges: 600 overlapping", "17.15", OUGHT, "Range: bytes=" + ",".join(f"{at}-" for at in range(600)), MANY),
    Row("ranges: 600 single bytes", "17.15", OUGHT, "Range: bytes=" + ",".join(f"{at}-{at}" for at in range(0, 1200, 2)), MANY),
    Row("ranges: 600 single bytes, backwards", "17.15", OUGHT, "Range: bytes=" + ",".join(f"{at}-{at}" for at in range(1200, 0, -2)), MANY),

    # The partial answer's fields
    Row("206: one Date", "15.3.7", MUST, "Range: bytes=0-99", (expect(206, "dated", dated),), NOT_RANGED),
    Row("206: ETag, Cache-Control, Vary …", "15.3.7", MUST, "Range: bytes=0-99", (expect(206, "as in a 200", same(*CACHE_FIELDS)),), NOT_RANGED),
    Row("206: Content-Type, Last-Modified …", "15.3.7", MUST, "Range: bytes=0-99", (expect(206, "as in a 200", same(*REPRESENTATION_FIELDS)),), NOT_RANGED),
    Row("206: several ranges, Last-Modified and ETag", "15.3.7", MUST, "Range: bytes=0-99,15000-15099", (expect(206, "as in a 200", same(*CACHE_FIELDS, "last-modified")),), NOT_RANGED),
    Row("206: Content-Range with the whole length", "14.4", SHOULD, "Range: bytes=0-99", (expect(206, "with the length", has("content-range", "bytes 0-99/20000")),), NOT_RANGED),
    Row("206: no multipart for a single range", "15.3.7.2", MUST, "Range: bytes=0-99", (expect(206, "no multipart", same("content-type")),), NOT_RANGED),
    Row("206: several ranges, no Content-Range in the head", "15.3.7.2", MUST, "Range: bytes=0-99,15000-15099", (expect(206, "in the parts alone", lacks("content-range")),), NOT_RANGED),
    Row("206 to If-Range: no further metadata", "15.3.7", SHOULD, "Range: bytes=0-99\nIf-Range: {strong}", (expect(206, "only what is needed", lacks(*REPRESENTATION_FIELDS)),), (TYPE_KEPT, *NOT_RANGED)),
    Row("416: Content-Range with the whole length", "14.4", SHOULD, "Range: bytes=999999-", (expect(416, "with the length", has("content-range", "bytes */20000")),), NOT_RANGED),
    Row("416: one Date", "6.6.1", MUST, "Range: bytes=999999-", (expect(416, "dated", dated),), NOT_RANGED),

    # If-Match
    Row("If-Match: the current tag", "13.1.1", MUST, "If-Match: {strong}", WHOLE),
    Row("If-Match: another tag", "13.1.1", MUST, 'If-Match: "other"', FAILED),
    Row("If-Match: *", "13.1.1", MUST, "If-Match: *", WHOLE),
    Row("If-Match: the current tag made weak", "13.1.1", MUST, "If-Match: {weak}", FAILED),
    Row("If-Match: list with the current tag", "13.1.1", MUST, 'If-Match: "a,b", "other" , {strong}', WHOLE),
    Row("If-Match: list with empty members", "5.6.1", MUST, "If-Match: , ,{strong},", WHOLE),
    Row("If-Match: list without it", "13.1.1", MUST, 'If-Match: "a,b", "other"', FAILED),
    Row("If-Match: HEAD, another tag", "13.1.1", MUST, 'If-Match: "other"', FAILED, method="HEAD"),
    Row("If-Match: OPTIONS, another tag", "13.2.1", MUST, 'If-Match: "other"', OTHER_METHOD, method="OPTIONS"),
    Row("If-Match: *, missing file", "13.2.1", MUST, "If-Match: *", (expect(404, "not found"),), file=MISSING),
    Row("412: one Date", "6.6.1", MUST, 'If-Match: "other"', (expect(412, "dated", dated),)),

    # If-Unmodified-Since
    Row("If-Unmodified-Since: earlier", "13.1.4", MUST, "If-Unmodified-Since: {earlier}", FAILED),
    Row("If-Unmodified-Since: equal", "13.1.4", MUST, "If-Unmodified-Since: {date}", WHOLE),
    Row("If-Unmodified-Since: later", "13.1.4", MUST, "If-Unmodified-Since: {later}", WHOLE),
    Row("If-Unmodified-Since: RFC 850 date, earlier", "5.6.7", MUST, "If-Unmodified-Since: {earlier850}", FAILED),
    Row("If-Unmodified-Since: RFC 850 date, equal", "5.6.7", MUST, "If-Unmodified-Since: {date850}", WHOLE),
    Row("If-Unmodified-Since: RFC 850 date, 40 years ago", "5.6.7", MUST, "If-Unmodified-Since: {past850}", FAILED),
    Row("If-Unmodified-Since: asctime date, earlier", "5.6.7", MUST, "If-Unmodified-Since: {earlierasc}", FAILED),
    Row("If-Unmodified-Since: asctime date, equal", "5.6.7", MUST, "If-Unmodified-Since: {dateasc}", WHOLE),
    Row("If-Unmodified-Since: no date", "13.1.4", MUST, "If-Unmodified-Since: yesterday", WHOLE),
    Row("If-Unmodified-Since: two dates", "13.1.4", MUST, "If-Unmodified-Since: {earlier}, {earlier}", WHOLE),
    Row("If-Unmodified-Since: HEAD, earlier", "13.1.4", MUST, "If-Unmodified-Since: {earlier}", FAILED, method="HEAD"),

    # If-None-Match
    Row("If-None-Match: the current tag", "13.1.2", MUST, "If-None-Match: {etag}", HIT),
    Row("If-None-Match: the current tag made weak", "13.1.2", MUST, "If-None-Match: {weak}", HIT),
    Row("If-None-Match: another tag", "13.1.2", MUST, 'If-None-Match: "other"', WHOLE),
    Row("If-None-Match: *", "13.1.2", MUST, "If-None-Match: *", HIT),
    Row("If-None-Match: list with the current tag", "13.1.2", MUST, 'If-None-Match: "a,b", W/"other" , {etag}', HIT),
    Row("If-None-Match: list with empty members", "5.6.1", MUST, "If-None-Match: , ,{etag},", HIT),
    Row("If-None-Match: list on two lines", "5.2", MUST, 'If-None-Match: "other"\nIf-None-Match: {etag}', HIT),
    Row("If-None-Match: list without it", "13.1.2", MUST, 'If-None-Match: "a,b", W/"other"', WHOLE),
    Row("If-None-Match: HEAD", "13.1.2", MUST, "If-None-Match: {etag}", HIT, method="HEAD"),
    Row("If-None-Match: empty file", "13.1.2", MUST, "If-None-Match: {etag}", HIT, file=EMPTY),
    Row("If-None-Match: POST", "13.2.1", MUST, "If-None-Match: {etag}", OTHER_METHOD, method="POST"),
    Row("If-None-Match: OPTIONS", "13.2.1", MUST, "If-None-Match: {etag}", OTHER_METHOD, method="OPTIONS"),
    Row("If-None-Match: *, missing file", "13.2.1", MUST, "If-None-Match: *", (expect(404, "not found"),), file=MISSING),

    # If-Modified-Since
    Row("If-Modified-Since: equal", "13.1.3", SHOULD, "If-Modified-Since: {date}", HIT),
    Row("If-Modified-Since: later", "13.1.3", SHOULD, "If-Modified-Since: {later}", HIT),
    Row("If-Modified-Since: earlier", "13.1.3", MUST, "If-Modified-Since: {earlier}", WHOLE),
    Row("If-Modified-Since: RFC 850 date, equal", "5.6.7", MUST, "If-Modified-Since: {date850}", HIT),
    Row("If-Modified-Since: RFC 850 date, 40 years ago", "5.6.7", MUST, "If-Modified-Since: {past850}", WHOLE),
    Row("If-Modified-Since: asctime date, equal", "5.6.7", MUST, "If-Modified-Since: {dateasc}", HIT),
    Row("If-Modified-Since: asctime date, earlier", "5.6.7", MUST, "If-Modified-Since: {earlierasc}", WHOLE),
    Row("If-Modified-Since: no date", "13.1.3", MUST, "If-Modified-Since: tomorrow", WHOLE),
    Row("If-Modified-Since: a number", "13.1.3", MUST, "If-Modified-Since: 4102444800", WHOLE),
    Row("If-Modified-Since: two dates", "13.1.3", MUST, "If-Modified-Since: {date}, {date}", WHOLE),
    Row("If-Modified-Since: HEAD", "13.1.3", SHOULD, "If-Modified-Since: {date}", HIT, method="HEAD"),
    Row("If-Modified-Since: POST", "13.1.3", MUST, "If-Modified-Since: {date}", OTHER_METHOD, method="POST"),

    # The order of preconditions
    Row("order: If-Match over If-Unmodified-Since", "13.1.4", MUST, "If-Match: {strong}\nIf-Unmodified-Since: {earlier}", WHOLE),
    Row("order: If-Match fails, If-Unmodified-Since holds", "13.2.2", MUST, 'If-Match: "other"\nIf-Unmodified-Since: {date}', FAILED),
    Row("order: If-Match fails, If-None-Match matches", "13.2.2", MUST, 'If-None-Match: {etag}\nIf-Match: "other"', FAILED),
    Row("order: If-Match holds, If-None-Match matches", "13.2.2", MUST, "If-Match: {strong}\nIf-None-Match: {etag}", HIT),
    Row("order: If-Unmodified-Since fails, If-None-Match matches", "13.2.2", MUST, "If-None-Match: {etag}\nIf-Unmodified-Since: {earlier}", FAILED),
    Row("order: If-Unmodified-Since holds, If-Modified-Since hits", "13.2.2", SHOULD, "If-Unmodified-Since: {date}\nIf-Modified-Since: {date}", HIT),
    Row("order: If-None-Match over If-Modified-Since, other tag", "13.1.3", MUST, 'If-None-Match: "other"\nIf-Modified-Since: {date}', WHOLE),
    Row("order: If-None-Match over If-Modified-Since, same tag", "13.1.3", MUST, "If-None-Match: {etag}\nIf-Modified-Since: {earlier}", HIT),
    Row("order: If-Match fails, Range", "13.2.2", MUST, 'Range: bytes=0-99\nIf-Match: "other"', FAILED),
    Row("order: If-Match holds, Range", "13.2.2", SHOULD, "Range: bytes=0-99\nIf-Match: {strong}", (part(0, 100),), NOT_RANGED),
    Row("order: If-Unmodified-Since fails, Range", "13.2.2", MUST, "Range: bytes=0-99\nIf-Unmodified-Since: {earlier}", FAILED),
    Row("order: If-None-Match matches, Range", "13.2.2", MUST, "Range: bytes=0-99\nIf-None-Match: {etag}", HIT),
    Row("order: If-None-Match does not match, Range", "13.2.2", SHOULD, 'Range: bytes=0-99\nIf-None-Match: "other"', (part(0, 100),), NOT_RANGED),
    Row("order: If-None-Match matches, If-Range does not", "13.2.2", MUST, 'Range: bytes=0-99\nIf-Range: "other"\nIf-None-Match: {etag}', HIT),
    Row("order: If-None-Match matches, Range past the end", "14.2", MUST, "Range: bytes=999999-\nIf-None-Match: {etag}", HIT),
    Row("order: If-Modified-Since hits, Range", "13.2.2", SHOULD, "Range: bytes=0-99\nIf-Modified-Since: {date}", HIT),

    # If-Range
    Row("If-Range: the current tag", "13.1.5", SHOULD, "Range: bytes=0-99\nIf-Range: {strong}", (part(0, 100),), NOT_RANGED),
    Row("If-Range: another tag", "13.1.5", MUST, 'Range: bytes=0-99\nIf-Range: "other"', WHOLE),
    Row("If-Range: the current tag made weak", "13.1.5", MUST, "Range: bytes=0-99\nIf-Range: {weak}", WHOLE),
    Row("If-Range: the exact date", "13.1.5", SHOULD, "Range: bytes=0-99\nIf-Range: {date}", (part(0, 100),), (whole("date not taken for strong (§8.8.2.2), or Range ignored"),)),
    Row("If-Range: a later date", "13.1.5", MUST, "Range: bytes=0-99\nIf-Range: {later}", WHOLE),
    Row("If-Range: an earlier date", "13.1.5", MUST, "Range: bytes=0-99\nIf-Range: {earlier}", WHOLE),
    Row("If-Range: neither tag nor date", "13.1.5", MUST, "Range: bytes=0-99\nIf-Range: other", WHOLE),
    Row("If-Range: the tag without its quotes", "13.1.5", MUST, "Range: bytes=0-99\nIf-Range: {bare}", WHOLE),
    Row("If-Range: another tag, range past the end", "13.1.5", MUST, 'Range: bytes=999999-\nIf-Range: "other"', WHOLE),
    Row("If-Range: the current tag, range past the end", "13.1.5", SHOULD, "Range: bytes=999999-\nIf-Range: {strong}", UNSATISFIABLE, NOT_RANGED),
    Row("If-Range: another tag, several ranges", "13.1.5", MUST, 'Range: bytes=0-99,15000-15099\nIf-Range: "other"', WHOLE),
    Row("If-Range: without Range", "13.1.5", MUST, 'If-Range: "other"', WHOLE),
    Row("If-Range: the current tag, without Range", "13.1.5", MUST, "If-Range: {strong}", WHOLE),

    # 304
    Row("304: one Date", "15.4.5", MUST, "If-None-Match: {etag}", (not_modified(dated),)),
    Row("304: ETag, Cache-Control, Vary …", "15.4.5", MUST, "If-None-Match: {etag}", (not_modified(same(*CACHE_FIELDS)),)),
    Row("304: no Content-Type …", "15.4.5", SHOULD, "If-None-Match: {etag}", (not_modified(lacks(*REPRESENTATION_FIELDS)),), (not_modified(lacks(*REPRESENTATION_FIELDS[:-1])),)),
    Row("304: no wrong Content-Length", "8.6", MUST, "If-None-Match: {etag}", (not_modified(true_length),)),

    # A file replaced within one second by another of the same length
    Row("replaced file: If-None-Match", "8.8.1", MUST, "If-None-Match: {etag}", WHOLE, replaced=True),
    Row("replaced file: If-Range", "8.8.1", MUST, "Range: bytes=0-99\nIf-Range: {strong}", WHOLE, replaced=True),
    Row("replaced file: If-Match", "8.8.1", MUST, "If-Match: {strong}", FAILED, replaced=True),

    # Other methods
    Row("POST: 405 says what is allowed", "15.5.6", MUST, "", (expect(None, "any, or 405 with Allow", allow_with_405),), method="POST"),
    Row("OPTIONS: 405 says what is allowed", "15.5.6", MUST, "", (expect(None, "any, or 405 with Allow", allow_with_405),), method="OPTIONS"),
]
# fmt: on

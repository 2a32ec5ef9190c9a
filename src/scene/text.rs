//! Text files as people have them, and finding in a scene's text what an error is about.

use std::ops::Range;

/// The text without the byte order mark that some editors put before it.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// RON with everything blanked that is no code: comments, strings and characters. Every byte keeps its place.
pub(super) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut i = 0;
    while i < bytes.len() {
        let rest = &bytes[i..];
        let before_is_word =
            i > 0 && (bytes[i - 1].is_ascii_alphanumeric() || bytes[i - 1] == b'_');
        let length = match rest[0] {
            b'/' if rest.starts_with(b"//") => {
                rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
            }
            b'/' if rest.starts_with(b"/*") => block_comment(rest),
            b'"' => quoted(rest, b'"'),
            b'r' if !before_is_word => raw_string(rest),
            b'\'' => quoted(rest, b'\'').min(character(rest)),
            _ => 0,
        };
        for byte in &mut out[i..i + length] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        i += length.max(1);
    }
    // Only whole strings and comments were blanked, so what is left is whole characters.
    String::from_utf8(out).unwrap_or_default()
}

/// Length of a comment that may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut i) = (0usize, 0);
    while i < rest.len() {
        if rest[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if rest[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    rest.len()
}

/// Length of what stands between two quotation marks, with them.
fn quoted(rest: &[u8], mark: u8) -> usize {
    let mut i = 1;
    while i < rest.len() {
        match rest[i] {
            b'\\' => i += 2,
            b if b == mark => return i + 1,
            _ => i += 1,
        }
    }
    rest.len()
}

/// Most bytes that one character between its marks can take: `'\u{10ffff}'`.
fn character(rest: &[u8]) -> usize {
    let longest = rest.len().min(12);
    rest[1..longest]
        .iter()
        .position(|&b| b == b'\'')
        .map_or(1, |_| longest)
}

/// Length of a raw string such as `r#".."#`; 0 if this is none.
fn raw_string(rest: &[u8]) -> usize {
    let marks = rest[1..].iter().take_while(|&&b| b == b'#').count();
    let start = 1 + marks;
    if rest.get(start) != Some(&b'"') {
        return 0;
    }
    let end = [b"\"".to_vec(), vec![b'#'; marks]].concat();
    let body = &rest[start + 1..];
    body.windows(end.len())
        .position(|w| w == end)
        .map_or(rest.len(), |at| start + 1 + at + end.len())
}

/// The last `key:` before a place: what a parser's complaint is about, as far as the text tells.
pub(super) fn key_before(text: &str, line: usize, column: usize) -> Option<String> {
    let last = text.split('\n').nth(line.checked_sub(1)?)?;
    let start = last.as_ptr() as usize - text.as_ptr() as usize;
    let within = last
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(last.len(), |(i, _)| i);
    let code = code_only(text);
    let before = &code[..start + within];
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    before.rmatch_indices(':').find_map(|(colon, _)| {
        let key = before[..colon].trim_end();
        let from = key
            .rfind(|c| !word(c))
            .map_or(0, |i| i + key[i..].chars().next().map_or(1, char::len_utf8));
        (from < key.len()).then(|| key[from..].to_string())
    })
}

/// Byte offset of `key:` in a region of code, as a whole word: the one least deep in brackets, and of those
/// the first.
pub(super) fn find_key(code: &str, region: Range<usize>, key: &str) -> Option<usize> {
    let bytes = code.as_bytes();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let (mut depth, mut best): (i32, Option<(i32, usize)>) = (0, None);
    for i in region.clone() {
        match bytes[i] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ if best.is_some_and(|(d, _)| d <= depth) => {}
            _ if bytes[i..region.end].starts_with(key.as_bytes()) => {
                let after = code[i + key.len()..region.end].trim_start();
                if after.starts_with(':') && (i == 0 || !word(bytes[i - 1])) {
                    best = Some((depth, i));
                }
            }
            _ => {}
        }
    }
    best.map(|(_, i)| i)
}

/// What belongs to the key at a region's start: up to the next comma or closing bracket of the same depth.
pub(super) fn value_after(code: &str, region: Range<usize>) -> Range<usize> {
    let mut depth = 0i32;
    for i in region.clone() {
        match code.as_bytes()[i] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => return region.start..i,
            _ => {}
        }
        if depth < 0 {
            return region.start..i;
        }
    }
    region
}

/// The n-th bracketed entry of the list that starts behind a region's first `[`; from there on, if there is
/// no such entry.
pub(super) fn nth_entry(code: &str, region: Range<usize>, n: usize) -> Range<usize> {
    let bytes = code.as_bytes();
    let Some(open) = region.clone().find(|&i| bytes[i] == b'[') else {
        return region;
    };
    let (mut depth, mut seen, mut start) = (0i32, 0usize, None);
    let behind = bytes.iter().enumerate().take(region.end).skip(open + 1);
    for (i, byte) in behind {
        match byte {
            b'(' | b'[' | b'{' => {
                if depth == 0 {
                    if seen == n {
                        start = Some(i);
                    }
                    seen += 1;
                }
                depth += 1;
            }
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0
                    && let Some(start) = start
                {
                    return start..i + 1;
                }
            }
            _ => {}
        }
        if depth < 0 {
            break;
        }
    }
    start.unwrap_or(open)..region.end
}

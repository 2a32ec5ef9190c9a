//! Finding in a scene's text what an error is about.

/// The last `key:` before a place: what a parser's complaint is about, as far as the text tells.
pub(super) fn key_before(text: &str, line: usize, column: usize) -> Option<&str> {
    let last = text.lines().nth(line.checked_sub(1)?)?;
    let start = last.as_ptr() as usize - text.as_ptr() as usize;
    let within = last
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(last.len(), |(i, _)| i);
    let before = &text[..start + within];
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    before.rmatch_indices(':').find_map(|(colon, _)| {
        let key = before[..colon].trim_end();
        let from = key
            .rfind(|c| !word(c))
            .map_or(0, |i| i + key[i..].chars().next().map_or(1, char::len_utf8));
        (from < key.len()).then(|| &key[from..])
    })
}

/// Byte offset of `key:` as a whole word, if present.
pub(super) fn find_key(text: &str, key: &str) -> Option<usize> {
    text.match_indices(key).map(|(i, _)| i).find(|&i| {
        let before = text[..i].chars().next_back();
        let after = text[i + key.len()..].trim_start();
        after.starts_with(':') && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Byte offset of the n-th parenthesised entry of the list that starts behind `text`'s first `[`.
pub(super) fn nth_entry(text: &str, n: usize) -> usize {
    let Some(start) = text.find('[') else {
        return 0;
    };
    let (mut depth, mut seen, mut in_string) = (0i32, 0usize, false);
    for (i, c) in text.char_indices().skip_while(|(i, _)| *i <= start) {
        match c {
            '"' => in_string = !in_string,
            _ if in_string => {}
            '(' | '[' => {
                if depth == 0 {
                    if seen == n {
                        return i;
                    }
                    seen += 1;
                }
                depth += 1;
            }
            ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            break;
        }
    }
    start
}

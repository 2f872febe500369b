use std::fmt;

/// A table in Markdown. The first columns, which are texts, are aligned to the left, the others to the right.
pub(crate) struct Table {
    texts: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(texts: usize, head: &[&str]) -> Self {
        Self { texts, rows: vec![head.iter().map(|&text| text.to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Returns the width of each column.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let width = |column| cells(column).map(|cell| cell.chars().count()).max();
        (0..columns).map(|column| width(column).unwrap_or_default().max(2)).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for (number, row) in self.rows.iter().enumerate() {
            f.write_str("|")?;
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                match column < self.texts {
                    true => write!(f, " {cell:width$} |")?,
                    false => write!(f, " {cell:>width$} |")?,
                }
            }
            writeln!(f)?;
            if number > 0 {
                continue;
            }
            f.write_str("|")?;
            for (column, width) in widths.iter().enumerate() {
                let end = if column < self.texts { "-|" } else { ":|" };
                write!(f, "{}{end}", "-".repeat(width + 1))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Formats a number without decimals, its thousands separated by commas.
pub(crate) fn integer(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a value, or a dash for one that was not measured.
pub(crate) fn or_dash<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(1, &["case", "ns"]);
        table.row(vec!["ours".to_owned(), integer(1_234.4)]);
        table.row(vec!["x".to_owned(), or_dash(None::<f64>, integer)]);
        let lines =
            ["| case |    ns |", "|------|------:|", "| ours | 1,234 |", "| x    |     – |"];
        assert_eq!(table.to_string().lines().collect::<Vec<_>>(), lines);
    }
}

//! Aligned columns, as `istioctl proxy-config` prints them.

/// Blanks between columns.
const GAP: usize = 5;

/// A heading and rows of as many cells.
#[derive(Debug)]
pub(super) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(heading: [&str; COLUMNS]) -> Self {
        Self {
            rows: vec![heading.map(str::to_owned)],
        }
    }

    pub(super) fn row(&mut self, cells: [String; COLUMNS]) {
        // A cell must not break its row, wherever its text came from.
        self.rows
            .push(cells.map(|cell| cell.replace(char::is_control, " ")));
    }

    /// One line a row; the last column is not padded, so that no line ends in blanks.
    pub(super) fn text(&self) -> String {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let start = text.len();
            for (width, cell) in widths.iter().zip(row) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + GAP));
            }
            text.truncate(start + text[start..].trim_end().len());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_in_no_blanks() {
        let mut table = Table::new(["NAME", "PORT", "NOTE"]);
        table.row(["ä-long-name".into(), "80".into(), String::new()]);
        table.row(["x".into(), "15001".into(), "two\nlines".into()]);
        let expected = "NAME            PORT      NOTE\n\
                        ä-long-name     80\n\
                        x               15001     two lines\n";
        assert_eq!(table.text(), expected);
    }
}

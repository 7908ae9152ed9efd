//! The tables as the migrations' statements make them, taken apart.

/// A table, as a CREATE TABLE has it.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) table: String,
    /// Columns and constraints, each as it is written.
    pub(crate) pieces: Vec<String>,
    tail: String,
    /// Statements that follow: indexes, and rows that belong to the table.
    pub(crate) more: Vec<String>,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type, in small letters.
    pub(crate) kind: String,
    pub(crate) not_null: bool,
    /// Its place among the pieces.
    pub(crate) at: usize,
}

const QUOTES: [char; 2] = ['"', '`'];

/// The first quoted name in a piece of SQL.
pub(crate) fn first_name(sql: &str) -> &str {
    sql.split(QUOTES).nth(1).unwrap()
}

/// The tables of tokens and sessions.
pub(crate) fn definitions(migrations: &[&str]) -> Vec<Definition> {
    let mut found: Vec<Definition> = Vec::new();
    let lines = migrations.iter().flat_map(|sql| sql.lines());
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("--")) {
        let line = line.trim_end_matches(';');
        if line.starts_with("CREATE TABLE") {
            found.push(Definition::parse(line));
        } else if let Some(table) = line.split(" ON ").nth(1).filter(|_| line.contains(" INDEX ")) {
            let table = first_name(table);
            let owner = found.iter_mut().find(|one| one.table == table).unwrap();
            owner.more.push(line.to_owned());
        } else if line.starts_with("INSERT") {
            let owner = found.iter_mut().find(|one| one.table == first_name(line)).unwrap();
            owner.more.push(line.to_owned());
        } else if line.contains("ADD INDEX") {
            let owner = found.iter_mut().find(|one| one.table == first_name(line)).unwrap();
            let index = line.split("ADD INDEX ").nth(1).unwrap();
            owner.pieces.push(format!("KEY {}", index.split(')').next().unwrap()) + ")");
        }
        // Foreign keys are nothing that the check looks for.
    }
    found
}

impl Definition {
    fn parse(sql: &str) -> Self {
        let (head, rest) = sql.split_once('(').unwrap();
        let end = rest.find(") WITH (").or_else(|| rest.rfind(')')).unwrap();
        let (body, tail) = (&rest[..end], &rest[end + 1..]);
        let mut pieces = vec![String::new()];
        let mut depth = 0;
        for c in body.chars() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                ',' if depth == 0 => {
                    pieces.push(String::new());
                    continue;
                }
                _ => {}
            }
            pieces.last_mut().unwrap().push(c);
        }
        let no_reference = |piece: &String| !piece.contains("FOREIGN KEY");
        let pieces = pieces.iter().map(|piece| {
            let piece = piece.trim();
            piece.split(" REFERENCES ").next().unwrap().to_owned()
        });
        Self {
            table: first_name(head).to_owned(),
            pieces: pieces.filter(no_reference).collect(),
            tail: tail.to_owned(),
            more: Vec::new(),
        }
    }

    /// What makes it.
    pub(crate) fn statements(&self) -> Vec<String> {
        let quote = if self.tail.contains("ENGINE") { '`' } else { '"' };
        let table = format!(
            "CREATE TABLE {quote}{}{quote} ({}){}",
            self.table,
            self.pieces.join(", "),
            self.tail
        );
        // Within a transaction, and over an empty table, that is the same.
        let more = self.more.iter().map(|sql| sql.replace(" CONCURRENTLY", ""));
        std::iter::once(table).chain(more).collect()
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        let is_column = |(_, piece): &(usize, &String)| piece.starts_with(QUOTES);
        let column = |(at, piece): (usize, &String)| {
            let rest = piece.splitn(3, QUOTES).nth(2).unwrap().trim();
            let end = [" NOT NULL", " NULL", " AUTO_INCREMENT", " PRIMARY", " CHARACTER"]
                .iter()
                .filter_map(|word| rest.find(word))
                .min()
                .unwrap_or(rest.len());
            Column {
                name: first_name(piece).to_owned(),
                kind: rest[..end].to_ascii_lowercase(),
                not_null: rest.contains("NOT NULL"),
                at,
            }
        };
        self.pieces.iter().enumerate().filter(is_column).map(column).collect()
    }

    /// Columns that are unique by themselves, with the same table where one isn't.
    pub(crate) fn without_each_unique(&self) -> Vec<(String, Self)> {
        let mut found = Vec::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            let mut without = self.clone();
            let name = if piece.starts_with(QUOTES) {
                let Some(word) = [" PRIMARY KEY AUTOINCREMENT", " PRIMARY KEY", " UNIQUE"]
                    .iter()
                    .find(|word| piece.ends_with(**word))
                else {
                    continue;
                };
                if piece.contains("AUTO_INCREMENT") || word.ends_with("AUTOINCREMENT") {
                    // It isn't numbered any longer, either: another alteration.
                    continue;
                }
                without.pieces[at] = piece.trim_end_matches(word).to_owned();
                first_name(piece).to_owned()
            } else if piece.contains("UNIQUE") || piece.contains("PRIMARY KEY") {
                without.pieces.remove(at);
                first_name(piece.rsplit_once('(').unwrap().1).to_owned()
            } else {
                continue;
            };
            found.push((name, without));
        }
        found
    }

    /// Columns with an index, with the same table where one hasn't.
    pub(crate) fn without_each_index(&self) -> Vec<(String, Self)> {
        let mut found = Vec::new();
        for (at, sql) in self.more.iter().enumerate() {
            // For LIKE.
            if sql.contains(" INDEX ") && !sql.contains("_like") {
                let mut without = self.clone();
                without.more.remove(at);
                let column = first_name(sql.rsplit_once('(').unwrap().1);
                found.push((column.to_owned(), without));
            }
        }
        for (at, piece) in self.pieces.iter().enumerate() {
            if piece.starts_with("KEY ") {
                let mut without = self.clone();
                without.pieces.remove(at);
                let column = first_name(piece.rsplit_once('(').unwrap().1);
                found.push((column.to_owned(), without));
            }
        }
        found
    }
}

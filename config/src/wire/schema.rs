//! What the shapes are made of, compared with the list of all fields of Istio's networking API, `fields.txt`.
//!
//! Each line of the list is a field: the kind, the path in a document, and what egret does with it. Elements of lists
//! are written `[]`, values of tables `.*`. `honoured` fields have an effect, `warned` ones are named in a warning
//! together with what happens instead, `refused` ones are errors, and `ignored` ones concern other parts of Istio or
//! nothing that egret does. Below a field that is warned of nothing is listed.

/// What a value is made of.
pub(crate) enum Schema {
    /// A text, a number, a boolean, or something that is skipped.
    Scalar,
    /// A list.
    List(Box<Self>),
    /// A table whose keys belong to the user.
    Map(Box<Self>),
    /// An object.
    Object {
        /// The name of the struct.
        shape: &'static str,
        /// The fields that are read.
        fields: Vec<(&'static str, Self)>,
        /// The fields that are skipped.
        silent: &'static [&'static str],
    },
}

#[cfg(test)]
mod tests;

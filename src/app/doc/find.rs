//! From a name to what it may mean.

use crate::lua::types::{Alias, Class, Field, Function, Module};

/// Something of the library.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    Module(&'a Module),
    Function(&'a Module, &'a Function),
    Class(&'a Module, &'a Class),
    /// A field of a class, or of the module itself.
    Field(&'a Module, Option<&'a Class>, &'a Field),
    Alias(&'a Module, &'a Alias),
}

impl Found<'_> {
    /// As it is asked for.
    pub fn name(&self) -> String {
        match self {
            Found::Module(module) => module.name.clone(),
            Found::Function(_, function) => function.name.clone(),
            Found::Class(_, class) => class.name.clone(),
            Found::Field(_, Some(class), field) => format!("{}.{}", class.name, field.name),
            Found::Field(module, None, field) => field_name(module, field),
            Found::Alias(_, alias) => alias.name.clone(),
        }
    }
}

fn field_name(module: &Module, field: &Field) -> String {
    match module.full_name() {
        Some(_) => format!("{}.{}", module.name, field.name),
        None => field.name.clone(),
    }
}

/// What is called exactly that; else what ends with it.
pub fn find<'a>(library: &'a [Module], name: &str) -> Vec<Found<'a>> {
    let name = name.trim().trim_end_matches("()");
    let wanted = spelt(name.strip_prefix("mpms.").unwrap_or(name));
    let all = all(library);
    let mut exact: Vec<_> = all.iter().filter(|one| spelt(&one.name()) == wanted).copied().collect();
    // the globals `task` and `test` are the modules
    if exact.iter().any(|one| matches!(one, Found::Module(_))) {
        exact.retain(|one| !matches!(one, Found::Field(_, None, _)));
    }
    if !exact.is_empty() {
        return exact;
    }
    let tail = format!(".{wanted}");
    let mut found: Vec<_> = all.into_iter().filter(|one| spelt(&one.name()).ends_with(&tail)).collect();
    // what has a page of its own says more than the fields of the same name
    if found.iter().any(|one| !matches!(one, Found::Field(..))) {
        found.retain(|one| !matches!(one, Found::Field(..)));
    }
    found
}

/// Names that are written nearly like that.
pub fn near(library: &[Module], name: &str) -> Vec<String> {
    let wanted = spelt(name.strip_prefix("mpms.").unwrap_or(name));
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = wanted.contains('.');
    let far = wanted.chars().count() / 3 + 1;
    let mut near: Vec<(usize, u8, String)> = all(library)
        .into_iter()
        .filter(|one| !matches!(one, Found::Field(_, Some(_), _)))
        .map(|one| {
            let name = spelt(&one.name());
            let compared = if whole { name } else { last(&name) };
            let kind = match one {
                Found::Function(_, function) => u8::from(function.name.contains(':')),
                Found::Module(_) => 0,
                _ => 2,
            };
            (strsim::damerau_levenshtein(&compared, &wanted), kind, one.name())
        })
        .filter(|(distance, ..)| *distance <= far)
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(3).map(|(.., name)| format!("`{name}`")).collect()
}

/// `:` and `.` are the same to somebody who asks, and capitals are.
fn spelt(name: &str) -> String {
    name.replace(':', ".").to_ascii_lowercase()
}

fn all(library: &[Module]) -> Vec<Found<'_>> {
    library.iter().flat_map(of_module).collect()
}

fn of_module(module: &Module) -> Vec<Found<'_>> {
    let mut all = vec![Found::Module(module)];
    all.extend(module.functions.iter().map(|function| Found::Function(module, function)));
    all.extend(module.fields.iter().map(|field| Found::Field(module, None, field)));
    all.extend(module.aliases.iter().map(|alias| Found::Alias(module, alias)));
    for class in &module.classes {
        all.push(Found::Class(module, class));
        all.extend(class.methods.iter().map(|method| Found::Function(module, method)));
        all.extend(class.fields.iter().map(|field| Found::Field(module, Some(class), field)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lua::types::library;

    fn names(name: &str) -> Vec<String> {
        find(library(), name).iter().map(Found::name).collect()
    }

    #[test]
    fn a_name_is_found_as_it_is_or_by_its_end() {
        assert_eq!(names("http"), ["http"]);
        assert_eq!(names("mpms.http"), ["http"]);
        assert_eq!(names("http.get"), ["http.get"]);
        assert_eq!(names("mpms.http.get()"), ["http.get"]);
        assert_eq!(names("net.Socket.send"), ["net.Socket:send"]);
        assert_eq!(names("socket:send"), ["net.Socket:send"]);
        assert_eq!(names("try"), ["try"]);
        assert_eq!(names("task"), ["task"]);
        assert!(matches!(find(library(), "test")[..], [Found::Module(_)]));
        assert_eq!(names("http.Options"), ["http.options", "http.Options"], "the function first");
        assert!(names("get").contains(&"http.get".to_owned()) && names("get").len() > 2);
        assert!(names("same_site")[0].ends_with("LinksOptions.same_site"));
        assert_eq!(names("nothing of it"), <[&str; 0]>::default());
    }

    #[test]
    fn a_name_that_is_nearly_one_is_told() {
        assert_eq!(near(library(), "http.gett")[0], "`http.get`");
        assert_eq!(near(library(), "htp")[0], "`http`");
        assert_eq!(near(library(), "donwload")[0], "`http.download`");
        assert_eq!(near(library(), "completely.different"), <[&str; 0]>::default());
    }
}

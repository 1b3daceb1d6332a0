//! The places of files, and which files may run.

use std::path::{Component, Path, PathBuf};

use crate::lua::error::LibError;
use crate::model::lua_path::{LuaPath, LuaPlace};

/// Where the scripts of a job are.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The folder of the role's script.
    pub script_dir: PathBuf,
    /// The folder of the project: `lib` and `lua_modules` are in it.
    pub root: PathBuf,
    /// What the command line says instead.
    pub lua_path: Option<LuaPath>,
}

/// Where `lib` and `lua_modules` are: the nearest folder with `mpms.toml` or `.mpms`, else with `.git`, else the
/// script's own.
pub fn project_root(dir: &Path) -> PathBuf {
    let has = |names: &'static [&'static str]| {
        dir.ancestors().find(|folder| names.iter().any(|name| folder.join(name).exists()))
    };
    has(&["mpms.toml", ".mpms"]).or_else(|| has(&[".git"])).unwrap_or(dir).to_path_buf()
}

/// Where `luarocks --tree lua_modules` puts what is Lua.
const ROCKS: &str = "lua_modules/share/lua/5.4";

impl Roots {
    /// `package.path`
    pub(super) fn search_path(&self) -> String {
        let usual = [LuaPlace::Usual];
        let places = self.lua_path.as_ref().map_or(&usual[..], LuaPath::places);
        let mut templates: Vec<String> = Vec::new();
        for place in places {
            let new = match place {
                LuaPlace::Usual => self.usual(),
                LuaPlace::Template(template) => vec![template.clone()],
            };
            for template in new {
                if !templates.contains(&template) {
                    templates.push(template);
                }
            }
        }
        templates.join(";")
    }

    fn usual(&self) -> Vec<String> {
        let rocks = self.root.join(ROCKS);
        let folders = [self.script_dir.clone(), self.root.join("lib"), self.root.clone(), rocks];
        let templates =
            folders.iter().flat_map(|folder| ["?.lua", "?/init.lua"].map(|file| folder.join(file)));
        templates.map(|template| tidy(&template).to_string_lossy().into_owned()).collect()
    }

    /// Whether there are places where it would have looked, were they not left out.
    pub(super) fn leaves_out_the_usual(&self) -> bool {
        self.lua_path.as_ref().is_some_and(|path| !path.has_usual())
    }

    /// A script may not bring code in from elsewhere, also not by `..` or a link: what runs is what the project holds,
    /// and what is in the folders of `--lua-path`. The folders themselves may be links; in those of `--lua-path` the
    /// files may, too, as a distribution has them.
    pub(super) fn refuse_outside(&self, path: &Path, canonical: &Path) -> Result<(), LibError> {
        let Roots { script_dir, root, lua_path } = self;
        let own =
            [script_dir.clone(), root.clone(), root.join("lib"), root.join("lua_modules"), root.join(ROCKS)];
        let named: Vec<PathBuf> = lua_path.iter().flat_map(LuaPath::folders).collect();
        let inside = own
            .iter()
            .chain(&named)
            .filter_map(|folder| folder.canonicalize().ok())
            .any(|folder| canonical.starts_with(folder));
        if inside || named.iter().any(|folder| is_below(path, folder)) {
            return Ok(());
        }
        let message = format!(
            "the file is outside of the project ({}) and of the folder of the script ({}): copy it to lib/, or name its folder with --lua-path",
            root.display(),
            script_dir.display()
        );
        Err(LibError::new("permission", message).path(path))
    }
}

/// As it is written, with no `..` on the way.
fn is_below(path: &Path, folder: &Path) -> bool {
    path.strip_prefix(folder).is_ok_and(|rest| {
        rest.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    })
}

/// Without the `.` parts, so that chunk names are short.
pub(super) fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

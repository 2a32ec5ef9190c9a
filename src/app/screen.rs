//! Which screen fills the window, in words.

/// What fills the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Screen {
    /// Reality and what models imagine of it, beside each other.
    #[default]
    Explore,
    /// What went wrong, the worst first.
    Gallery,
    /// Several controllers at the same task.
    Race,
    /// Impossible events, and who is surprised by them.
    Surprise,
}

impl Screen {
    /// The screens that have a tab, in their order: those that show something.
    pub const TABS: &[Screen] = &[
        Screen::Explore,
        Screen::Gallery,
        Screen::Race,
        Screen::Surprise,
    ];

    /// In a word.
    pub const fn words(self) -> &'static str {
        match self {
            Screen::Explore => "Explore",
            Screen::Gallery => "Gallery",
            Screen::Race => "Race",
            Screen::Surprise => "Surprise",
        }
    }

    /// What it shows, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Screen::Explore => "Reality, and beside it what each model imagines of it",
            Screen::Gallery => "What the models got wrong, the worst first",
            Screen::Race => "Several controllers at the same task, each in its own reality",
            Screen::Surprise => "Impossible events, and which model is surprised by them",
        }
    }

    /// Whether it has a tab.
    pub fn is_open(self) -> bool {
        Self::TABS.contains(&self)
    }
}

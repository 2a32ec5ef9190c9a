//! Colours, spacing and marks: one place, light and dark. Vermillion is for what is broken and green for
//! success; colour never stands alone: each law has its own shape.

use bevy_egui::egui::{
    self, Color32, CornerRadius, FontFamily, FontId, Margin, Painter, Pos2, Shape, Stroke,
    TextStyle, Theme, Visuals, vec2,
};

use super::show::Look;
use crate::model::Camp;
use crate::scene::{Colour, Law};

/// Sky blue of the Okabe-Ito palette: what is selected or live.
pub const ACCENT: Color32 = Color32::from_rgb(86, 180, 233);
/// Bluish green: success.
pub const GOOD: Color32 = Color32::from_rgb(0, 170, 125);
/// Vermillion: failure and violations.
pub const BAD: Color32 = Color32::from_rgb(232, 92, 28);
/// Orange: the imagination's playhead and the goal.
pub const IMAGINED: Color32 = Color32::from_rgb(240, 174, 40);

/// The few surfaces that the widgets' own visuals do not name.
#[derive(Clone, Copy, Debug)]
pub struct Surfaces {
    /// Behind everything.
    pub base: Color32,
    /// Cards on it.
    pub card: Color32,
    /// Tracks and wells in cards.
    pub well: Color32,
    /// Thin lines.
    pub line: Color32,
    /// Secondary text.
    pub weak: Color32,
    /// Primary text.
    pub text: Color32,
}

/// The surfaces of the theme in force.
pub fn surfaces(look: Look) -> Surfaces {
    let c = Color32::from_rgb;
    match look {
        Look::Projector => Surfaces {
            base: c(255, 255, 255),
            card: c(255, 255, 255),
            well: c(222, 225, 230),
            line: c(120, 126, 136),
            weak: c(48, 53, 62),
            text: c(0, 0, 0),
        },
        Look::Light => Surfaces {
            base: c(238, 240, 243),
            card: c(252, 252, 253),
            well: c(228, 231, 236),
            line: c(208, 213, 221),
            weak: c(92, 100, 114),
            text: c(28, 32, 40),
        },
        Look::Dark => Surfaces {
            base: c(18, 20, 24),
            card: c(27, 30, 36),
            well: c(38, 42, 50),
            line: c(52, 58, 68),
            weak: c(146, 155, 170),
            text: c(222, 227, 235),
        },
    }
}

/// Puts the theme on a context.
pub fn apply(ctx: &egui::Context, look: Look) {
    let light = look.is_light();
    let theme = if light { Theme::Light } else { Theme::Dark };
    ctx.set_theme(theme);
    let s = surfaces(look);
    let mut v = if light {
        Visuals::light()
    } else {
        Visuals::dark()
    };
    v.panel_fill = s.base;
    v.window_fill = s.card;
    v.window_stroke = Stroke::new(1.0, s.line);
    v.extreme_bg_color = s.well;
    v.override_text_color = None;
    v.weak_text_color = Some(s.weak);
    v.selection.bg_fill = if light {
        Color32::from_rgb(176, 216, 242)
    } else {
        Color32::from_rgb(24, 84, 124)
    };
    v.selection.stroke = Stroke::new(1.0, s.text);
    v.error_fg_color = broken(look);
    v.warn_fg_color = IMAGINED;
    let radius = CornerRadius::same(5);
    let w = &mut v.widgets;
    w.noninteractive.bg_stroke = Stroke::new(1.0, s.line);
    w.noninteractive.fg_stroke = Stroke::new(1.0, s.text);
    w.noninteractive.bg_fill = s.card;
    for state in [&mut w.inactive, &mut w.hovered, &mut w.active, &mut w.open] {
        state.corner_radius = radius;
        state.fg_stroke = Stroke::new(1.0, s.text);
    }
    w.inactive.bg_fill = s.well;
    w.inactive.weak_bg_fill = s.well;
    w.open.weak_bg_fill = s.well;
    w.hovered.weak_bg_fill = s.line;
    w.hovered.bg_fill = s.line;
    w.hovered.bg_stroke = Stroke::new(1.0, ACCENT.gamma_multiply(0.6));
    w.active.weak_bg_fill = ACCENT.gamma_multiply(0.45);
    w.active.bg_fill = ACCENT.gamma_multiply(0.45);
    ctx.set_visuals_of(theme, v);
    ctx.all_styles_mut(|style| {
        style.spacing.item_spacing = vec2(8.0, 6.0);
        style.spacing.button_padding = vec2(9.0, 4.0);
        style.spacing.interact_size.y = 26.0;
        style.spacing.slider_width = 110.0;
        style.spacing.window_margin = Margin::same(12);
        style.interaction.selectable_labels = false;
        let size = |s| FontId::new(s, FontFamily::Proportional);
        style.text_styles = [
            (TextStyle::Small, size(11.5)),
            (TextStyle::Body, size(13.5)),
            (TextStyle::Button, size(13.5)),
            (TextStyle::Heading, size(17.0)),
            (
                TextStyle::Monospace,
                FontId::new(12.5, FontFamily::Monospace),
            ),
        ]
        .into();
    });
}

/// Gives the font texture the height that the window's writing will need, before anybody looks: one glyph
/// that is higher than half of it. Its row and those below are wide enough for thousands of small ones.
/// To draw all of those at the start would take a third of the time until the window is there.
pub fn make_room_for_fonts(ctx: &egui::Context) {
    const HIGH: f32 = 64.0;
    ctx.fonts_mut(|fonts| {
        fonts.layout_no_wrap("|".into(), FontId::proportional(HIGH), Color32::WHITE);
    });
}

/// A card: a rounded surface with even margins.
pub fn card(look: Look) -> egui::Frame {
    let s = surfaces(look);
    egui::Frame::new()
        .fill(s.card)
        .stroke(Stroke::new(1.0, s.line))
        .corner_radius(8)
        .inner_margin(Margin::same(9))
}

/// The colour of a camp.
pub fn camp_colour(camp: Option<Camp>) -> Color32 {
    match camp {
        Some(Camp::Generative) => Color32::from_rgb(204, 121, 167),
        Some(Camp::Jepa) => ACCENT,
        Some(Camp::Hybrid) => Color32::from_rgb(0, 158, 115),
        _ => Color32::from_gray(140),
    }
}

/// A body's hue.
pub fn body_colour(colour: Colour) -> Color32 {
    let [r, g, b] = colour.rgb();
    Color32::from_rgb(r, g, b)
}

/// Writing about what is broken: vermillion, dark enough on light ground.
pub fn broken(look: Look) -> Color32 {
    match look.is_light() {
        true => Color32::from_rgb(176, 62, 8),
        false => Color32::from_rgb(255, 132, 74),
    }
}

/// The mark of a law: circle, diamond, triangle, square or cross, always vermillion. The shape tells the law.
pub fn law_mark(painter: &Painter, law: Law, at: Pos2, radius: f32) {
    let colour = BAD;
    let edge = Stroke::new(1.0, Color32::from_black_alpha(160));
    let r = radius;
    let polygon = |points: &[(f32, f32)]| {
        let points = points
            .iter()
            .map(|(x, y)| at + vec2(x * r, y * r))
            .collect();
        painter.add(Shape::convex_polygon(points, colour, edge));
    };
    match law {
        Law::Permanence | Law::Identity | Law::Background => {
            painter.circle(at, r * 0.95, colour, edge);
        }
        Law::Duplication | Law::Look => {
            polygon(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)])
        }
        Law::Continuity
        | Law::FreeFlight
        | Law::Inertia
        | Law::Energy
        | Law::Action
        | Law::Stillness
        | Law::Turning => polygon(&[(0.0, -1.15), (1.1, 0.85), (-1.1, 0.85)]),
        Law::Size | Law::Shape => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        Law::Interpenetration | Law::Momentum | Law::Contact | Law::Support => {
            let arm = Stroke::new(r * 0.7, colour);
            painter.line_segment([at + vec2(-r, -r), at + vec2(r, r)], arm);
            painter.line_segment([at + vec2(-r, r), at + vec2(r, -r)], arm);
        }
    }
}

/// The mark of a body that is far from where it really is: an open ring.
pub fn far_mark(painter: &Painter, at: Pos2, radius: f32) {
    painter.circle_stroke(at, radius, Stroke::new(3.5, Color32::from_black_alpha(160)));
    painter.circle_stroke(at, radius, Stroke::new(2.0, BAD));
}

/// What a law's mark means, in a word or two.
pub const fn law_word(law: Law) -> &'static str {
    match law {
        Law::Permanence => "vanished",
        Law::Duplication => "became two",
        Law::Identity => "swapped colours",
        Law::Continuity => "jumped",
        Law::Size => "changed size",
        Law::Shape => "lost its shape",
        Law::Look => "blurred or faded",
        Law::Background => "background moved",
        Law::FreeFlight => "fell wrongly",
        Law::Inertia => "moved by itself",
        Law::Energy => "gained energy",
        Law::Momentum => "wrong recoil",
        Law::Contact => "moved untouched",
        Law::Support => "rests on nothing",
        Law::Interpenetration => "overlaps",
        Law::Turning => "turned at once",
        Law::Action => "hand disobeys",
        Law::Stillness => "film froze",
    }
}

/// From best (yellow) over green to worst (dark violet): viridis in five stops, `t` in [0, 1] from worst to
/// best.
pub fn viridis(t: f32) -> Color32 {
    const STOPS: [[f32; 3]; 5] = [
        [68.0, 1.0, 84.0],
        [59.0, 82.0, 139.0],
        [33.0, 145.0, 140.0],
        [94.0, 201.0, 98.0],
        [253.0, 231.0, 37.0],
    ];
    let at = t.clamp(0.0, 1.0) * 4.0;
    let i = (at as usize).min(3);
    let f = at - i as f32;
    let mix = |c: usize| (STOPS[i][c] + (STOPS[i + 1][c] - STOPS[i][c]) * f) as u8;
    Color32::from_rgb(mix(0), mix(1), mix(2))
}

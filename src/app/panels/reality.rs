//! The film of reality: the 3-D view or what the models' eye sees, what is drawn over it, and hands on it.

use bevy::math::Vec3;
use bevy_egui::egui::{
    self, Align, Button, Color32, CornerRadius, FontId, Layout, PointerButton, Rect, RichText,
    Sense, Stroke, Ui, WidgetType, pos2,
};

use super::super::command::{Command, keys_of};
use super::super::convert;
use super::super::state::{Cursor, DriverChoice, Film, Grip, Stage, State};
use super::super::theme;
use super::super::verdict::{Verdict, length, seconds};
use super::super::view3d::Scenery;
use super::cards::Card;
use super::outline::{Gaze, dashed, probed_pose, solid_line};
use super::paint::{WHOLE, stamp};
use super::pictures::{Pictures, square_image};
use super::pieces::{dot, enlarge, inside, verdict_ui};
use super::{legible, name, touch};

/// Draws the card of reality.
pub fn film_ui(
    ui: &mut Ui,
    state: &State,
    card: &Card,
    scenery: Option<&Scenery>,
    pictures: &mut Pictures,
    out: &mut Vec<Command>,
) {
    head_ui(ui, state, card, out);
    let comes_later = scenery.is_some_and(|scenery| !scenery.is_there);
    match state.show_eye || comes_later {
        true => eye_ui(ui, state, card.picture, pictures, out),
        false => view_ui(ui, state, card.picture, scenery, out),
    }
    verdict_ui(ui, state, card.verdict, &verdict(state));
    foot_ui(ui, state, card.cost);
}

fn head_ui(ui: &mut Ui, state: &State, card: &Card, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let mut row = inside(ui, card.head, Layout::right_to_left(Align::Center));
    let eye = Button::new(RichText::new("Eye").small()).selected(state.show_eye);
    let hint = format!(
        "What the models see: 64 × 64 pixels{}",
        keys_of(&Command::ToggleEye)
    );
    if row.add(eye).on_hover_text(hint).clicked() {
        out.push(Command::ToggleEye);
    }
    row.with_layout(Layout::left_to_right(Align::Center), |ui| {
        dot(ui, s.text);
        ui.label(RichText::new("Reality").strong().size(15.0));
        let does = match state.is_touchable() {
            true => "simulated · drag a body to pull it",
            false => "simulated · drag to turn",
        };
        if ui.available_width() > 90.0 {
            ui.add(egui::Label::new(RichText::new(does).color(s.weak).small()).truncate());
        }
    });
}

/// The 3-D view in this rectangle.
pub fn view_ui(
    ui: &mut Ui,
    state: &State,
    rect: Rect,
    scenery: Option<&Scenery>,
    out: &mut Vec<Command>,
) {
    let s = theme::surfaces(state.look);
    let id = ui.id().with("reality in 3-D");
    let response = ui.interact(rect, id, Sense::click_and_drag());
    name(&response, WidgetType::Image, "Reality in 3-D");
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, CornerRadius::same(4), s.well);
    let Some(scenery) = scenery else {
        return;
    };
    let mut shape = egui::epaint::RectShape::filled(rect, CornerRadius::same(4), Color32::WHITE);
    shape = shape.with_texture(scenery.texture, WHOLE);
    painter.add(shape);
    let d = response.drag_delta();
    let others = [PointerButton::Secondary, PointerButton::Middle];
    if others.into_iter().any(|b| response.dragged_by(b)) {
        let height = rect.height().max(1.0);
        out.push(Command::Pan(d.x / height, d.y / height));
    } else if response.dragged() && state.grip == Some(Grip::View) {
        out.push(Command::Orbit(-d.x * 0.008, d.y * 0.008, 1.0));
    }
    if response.double_clicked() {
        enlarge(state, Film::Reality, out);
    }
    if response.hovered() {
        let scroll = ui.input(|i| i.smooth_scroll_delta().y);
        if scroll != 0.0 {
            let nearer = (-scroll * 0.002).exp();
            // What is under the pointer stays there, unless the camera follows a body.
            let pointer = response.hover_pos().filter(|_| state.follow.is_none());
            if let Some(pointer) = pointer {
                let from = (pointer - rect.center()) / rect.height().max(1.0);
                let share = 1.0 - nearer;
                out.push(Command::Pan(-share * from.x, -share * from.y));
            }
            out.push(Command::Orbit(0.0, 0.0, nearer));
        }
    }
    over_ui(&painter, state, rect, scenery);
    touch::touch_ui(ui, state, scenery, &response, out);
}

/// Goal, plan and what a JEPA imagines, as lines in the view.
fn over_ui(painter: &egui::Painter, state: &State, rect: Rect, scenery: &Scenery) {
    let Some(scene) = &state.scene else { return };
    let project = |p: Vec3| {
        let [u, v] = scenery.lens.project(p)?;
        Some(pos2(
            rect.left() + rect.width() * u,
            rect.top() + rect.height() * v,
        ))
    };
    let gaze = Gaze {
        project: &project,
        across: scenery.lens.across(),
    };
    if let Some(goal) = &state.record.goal {
        for target in &goal.state.targets {
            let Some(solid) = state.solids.get(target.body) else {
                continue;
            };
            let turn = match goal.state.task.angle_degrees {
                Some(_) => bevy::math::Quat::from_rotation_y(target.yaw),
                None => bevy::math::Quat::IDENTITY,
            };
            let pose = convert::body_state(&(convert::vec3(target.position), turn));
            for edge in gaze.edges(solid, &pose) {
                dashed(painter, &edge, theme::IMAGINED);
            }
        }
    }
    if !state.show_ghosts {
        return;
    }
    // One model's at a time: that at the right, else that in the middle.
    let mut read = state.watched_panes().collect::<Vec<_>>();
    read.reverse();
    let probed = read.into_iter().find_map(|(_, p)| {
        let (at, r) = state.imagined(p)?;
        let states = r.imagined.states.as_ref()?;
        (at.k > 0 && at.moment() == state.shown()).then_some((p, at, r, states))
    });
    if let Some((pane, at, rollout, states)) = probed {
        for (column, name) in states.bodies.iter().enumerate() {
            let Some(body) = scene.body_index(name) else {
                continue;
            };
            let pose = state.probed(rollout, column, at.k);
            let pose = pose.and_then(|p| probed_pose(scene.bodies[body].position[1], p));
            if let (Some(solid), Some(pose)) = (state.solids.get(body), pose) {
                for edge in gaze.edges(solid, &pose) {
                    solid_line(painter, &edge, theme::camp_colour(pane.camp()));
                }
            }
        }
    }
    stations_ui(painter, state, &project);
    let path = state
        .decision
        .as_ref()
        .and_then(|d| d.preview.path.as_ref());
    if let (Some(path), Cursor::Live) = (path, state.cursor) {
        for (column, name) in path.bodies.iter().enumerate() {
            let Some(body) = scene.body_index(name) else {
                continue;
            };
            for step in 0..path.steps {
                let Some(&[x, z, _]) = path.at(0, step).get(column) else {
                    continue;
                };
                let at = Vec3::new(x, scene.bodies[body].position[1], z);
                if let Some(at) = project(at).filter(|_| x.is_finite() && z.is_finite()) {
                    let fill = theme::body_colour(scene.bodies[body].colour);
                    painter.circle(at, 2.5, fill, Stroke::new(1.0, Color32::WHITE));
                }
            }
        }
    }
}

/// The stations of the plan: rings with numbers where the model's probes place bodies, joined in their order.
fn stations_ui(
    painter: &egui::Painter,
    state: &State,
    project: &impl Fn(Vec3) -> Option<egui::Pos2>,
) {
    let (Some(scene), Cursor::Live) = (&state.scene, state.cursor) else {
        return;
    };
    let plan = state.decision.as_ref().and_then(|d| d.plan.as_ref());
    let on_the_way = plan.map_or(&[][..], |p| &p.stations);
    let on_the_way = on_the_way.iter().filter(|s| !s.is_goal);
    let mut before: Vec<Option<egui::Pos2>> = vec![None; scene.bodies.len()];
    for (number, station) in on_the_way.enumerate() {
        let Some(places) = &station.places else {
            continue;
        };
        for (column, body) in places.bodies.iter().enumerate() {
            let Some(body) = scene.body_index(body) else {
                continue;
            };
            let Some(&[x, z, _]) = places.at(0, 0).get(column) else {
                continue;
            };
            let at = Vec3::new(x, scene.bodies[body].position[1], z);
            let Some(at) = project(at).filter(|_| x.is_finite() && z.is_finite()) else {
                continue;
            };
            let colour = theme::body_colour(scene.bodies[body].colour);
            if let Some(from) = before[body].replace(at) {
                painter.line_segment(
                    [from, at],
                    Stroke::new(1.0, theme::ACCENT.gamma_multiply(0.7)),
                );
            }
            painter.circle(
                at,
                8.0,
                colour.gamma_multiply(0.55),
                Stroke::new(1.5, theme::ACCENT),
            );
            let font = FontId::proportional(10.0);
            let text = (number + 1).to_string();
            painter.text(at, egui::Align2::CENTER_CENTER, text, font, Color32::WHITE);
        }
    }
}

/// What the models' eye sees in this rectangle.
fn eye_ui(ui: &mut Ui, state: &State, rect: Rect, pictures: &mut Pictures, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let response = ui.interact(rect, ui.id().with("eye"), Sense::click());
    name(&response, WidgetType::Image, "What the eye sees");
    if response.double_clicked() {
        enlarge(state, Film::Reality, out);
    }
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, CornerRadius::same(4), s.well);
    let record = &state.record;
    let key = stamp(&(record.episode, record.amended, state.shown()));
    let Some(moment) = state.shown_moment() else {
        return;
    };
    if let Some(texture) = pictures.soft(ui.ctx(), "eye", key, || square_image(&moment.rgb)) {
        painter.image(texture, rect, WHOLE, Color32::WHITE);
    }
}

/// What is to be said of reality itself.
fn verdict(state: &State) -> Verdict {
    let Some(scene) = &state.scene else {
        return Verdict::default();
    };
    let plain = |line: String, rest: String| Verdict {
        line,
        rest,
        ..Verdict::default()
    };
    let Some(goal) = &state.record.goal else {
        let rest = match state.stage {
            Stage::Preparing => "It happens first; the models see its beginning.",
            _ => "The truth that both are held against.",
        };
        return plain(scene.summary.clone(), rest.into());
    };
    let distance = state.shown_moment().and_then(|m| m.distance_m);
    let allowed = format!("The goal allows {}.", length(goal.tolerance_m));
    let reached = state.record.reached.is_some_and(|at| at <= state.shown());
    let over = state.record.outcome == Some(false) && state.shown() == state.newest();
    match distance {
        Some(d) if reached => plain(format!("✔ Goal reached, within {}", length(d)), allowed),
        Some(d) if over => plain(format!("Out of time, {} from the goal", length(d)), allowed),
        Some(d) => plain(format!("{} from the goal", length(d)), allowed),
        None => plain(scene.summary.clone(), allowed),
    }
}

/// Who acts, and how often it succeeded.
fn foot_ui(ui: &mut Ui, state: &State, rect: Rect) {
    let s = theme::surfaces(state.look);
    let painter = ui.painter_at(rect);
    let who = match (&state.driver, state.has_actions(), &state.replay) {
        (.., Some(_)) => "the recorded actions".into(),
        (_, false, _) => "nobody acts here".into(),
        (DriverChoice::Keyboard, ..) if state.newest() == 0 => {
            "you act: time begins with your first key".into()
        }
        (DriverChoice::Keyboard, ..) => "you act: W A S D or arrows".into(),
        (DriverChoice::Oracle, ..) if state.thinks => "the oracle thinks…".into(),
        (DriverChoice::Oracle, ..) => "the oracle acts: it plans in the simulator".into(),
        (DriverChoice::Random, ..) => "chance acts".into(),
        (DriverChoice::Planner(model), ..) if state.thinks => format!("{model} thinks…"),
        (DriverChoice::Planner(model), ..) => match state.timers.decision.percentile(0.5) {
            Some(ms) if ms >= 1000.0 => format!("{model} acts, {:.1} s a decision", ms / 1e3),
            Some(ms) => format!("{model} acts, {ms:.0} ms a decision"),
            None => format!("{model} acts"),
        },
    };
    let ended = state.score.episodes();
    let score = match ended {
        0 => String::new(),
        n => format!(" · reached {} of {n}", state.score.successes()),
    };
    let text = legible(ui.ctx(), &format!("{who}{score}")).into_owned();
    let galley = painter.layout_no_wrap(text, FontId::proportional(12.0), s.weak);
    painter.galley(rect.left_top(), galley, s.weak);
    // How far the moment shown lies in what is known.
    let rail = Rect::from_min_max(
        pos2(rect.left(), rect.bottom() - 7.0),
        pos2(rect.right(), rect.bottom() - 2.0),
    );
    painter.rect_filled(rail, 2.5, s.well);
    let share = state.shown() as f32 / state.newest().max(1) as f32;
    let mut done = rail;
    done.set_width(rail.width() * share.clamp(0.0, 1.0));
    painter.rect_filled(done, 2.5, s.weak);
    let words = format!("{} of {}", seconds(state.shown()), seconds(state.newest()));
    let response = ui.interact(rect, ui.id().with("time"), Sense::hover());
    name(&response, WidgetType::ProgressIndicator, &words);
    response.on_hover_text(words);
}

//! Keys as they come, each with the modifiers that were down when it was pressed.
//!
//! bevy_egui gives all keys of a frame the modifiers of its end: in a slow frame, Ctrl+Z comes and goes and
//! would be a bare Z.

use bevy::input::ButtonState;
use bevy::input::keyboard::{Key, KeyboardFocusLost, KeyboardInput};
use bevy::prelude::*;
use bevy_egui::input::EguiInputEvent;
use bevy_egui::{PrimaryEguiContext, egui, helpers};

/// Modifiers that are down after the keys read so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Modifiers {
    shift: bool,
    ctrl: bool,
    alt: bool,
    logo: bool,
}

impl Modifiers {
    /// Takes in a key; returns what it means to the panels.
    pub fn take(&mut self, input: &KeyboardInput) -> Vec<egui::Event> {
        let pressed = input.state == ButtonState::Pressed;
        match &input.logical_key {
            Key::Shift => self.shift = pressed,
            Key::Control => self.ctrl = pressed,
            Key::Alt => self.alt = pressed,
            Key::Super | Key::Meta => self.logo = pressed,
            _ => {}
        }
        let mut events = Vec::new();
        let is_mac = cfg!(target_os = "macos");
        // Ctrl with Alt is AltGr on some keyboards, which types characters.
        let types = !self.logo && !self.ctrl || !is_mac && self.ctrl && self.alt;
        if pressed && types {
            match &input.logical_key {
                Key::Character(text) if !text.chars().any(char::is_control) => {
                    events.push(egui::Event::Text(text.to_string()));
                }
                Key::Space => events.push(egui::Event::Text(" ".into())),
                _ => {}
            }
        }
        let physical_key = helpers::bevy_to_egui_physical_key(&input.key_code);
        if let Some(key) = helpers::bevy_to_egui_key(&input.logical_key).or(physical_key) {
            events.push(egui::Event::Key {
                key,
                pressed,
                repeat: input.repeat,
                modifiers: egui::Modifiers {
                    alt: self.alt,
                    ctrl: self.ctrl,
                    shift: self.shift,
                    mac_cmd: is_mac && self.logo,
                    command: if is_mac { self.logo } else { self.ctrl },
                },
                physical_key,
            });
        }
        events
    }
}

/// Hands the keys of this frame to the panels, in their order; in place of bevy_egui's own system.
pub fn hand_over(
    mut modifiers: Local<Modifiers>,
    mut inputs: MessageReader<KeyboardInput>,
    mut lost: MessageReader<KeyboardFocusLost>,
    mut events: MessageWriter<EguiInputEvent>,
    context: Query<Entity, With<PrimaryEguiContext>>,
) {
    if lost.read().next().is_some() {
        *modifiers = Modifiers::default();
    }
    let Ok(context) = context.single() else {
        inputs.clear();
        return;
    };
    for input in inputs.read() {
        for event in modifiers.take(input) {
            events.write(EguiInputEvent { context, event });
        }
    }
}

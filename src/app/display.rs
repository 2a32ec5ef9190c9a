//! The display, tried before the window needs it: X11 or Wayland, how large it is, and how many colours it
//! has.

/// The least size of the window in points; below it, writing becomes smaller instead.
pub const LEAST: (u32, u32) = (800, 600);
/// The size of the window unless another is asked for or the screen is smaller.
pub const USUAL: (u32, u32) = (1600, 900);

/// A display that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Display {
    /// An X server.
    X11 {
        /// Its name, such as `:0`.
        name: String,
        /// What a window may cover, pixels.
        room: (u32, u32),
        /// Bits of colour a pixel.
        depth: u8,
    },
    /// A Wayland compositor.
    Wayland {
        /// Its name, such as `wayland-0`.
        name: String,
    },
    /// The system's own.
    Native,
}

impl Display {
    /// What a window may cover, where that is known beforehand.
    pub fn room(&self) -> Option<(u32, u32)> {
        match self {
            Display::X11 { room, .. } => Some(*room),
            Display::Wayland { .. } | Display::Native => None,
        }
    }
}

/// As large as wanted, but no larger than there is room for.
pub fn fitting(wanted: (u32, u32), room: Option<(u32, u32)>) -> (u32, u32) {
    let (width, height) = room.unwrap_or(wanted);
    (wanted.0.min(width).max(1), wanted.1.min(height).max(1))
}

/// The factor by which everything is drawn smaller or larger: what a person chose, but so that the least
/// layout fits.
pub fn fitting_zoom(chosen: f32, window_points: (f32, f32)) -> f32 {
    let most = (window_points.0 / LEAST.0 as f32).min(window_points.1 / LEAST.1 as f32);
    chosen.min(most).max(0.2)
}

/// The display that the window would open on. Where Wayland is named but is not there, an X display that is
/// takes its place.
///
/// # Errors
/// In a sentence: there is none, or it cannot be opened.
#[cfg(target_os = "linux")]
pub fn find() -> Result<Display, String> {
    linux::find()
}

/// The display that the window would open on.
///
/// # Errors
/// None on this system: there is always one.
#[cfg(not(target_os = "linux"))]
pub fn find() -> Result<Display, String> {
    Ok(Display::Native)
}

#[cfg(target_os = "linux")]
mod linux {
    use wayland_client::ConnectError;
    use x11rb::connection::Connection as _;
    use x11rb::protocol::randr::ConnectionExt as _;
    use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, Window};
    use x11rb::rust_connection::RustConnection;

    use super::Display;

    /// What the frame of a window takes from the screen, pixels: not known before there is a window.
    const FRAME: (u32, u32) = (4, 32);
    /// Colours with fewer bits a pixel cannot be drawn.
    const LEAST_DEPTH: u8 = 24;

    const NONE: &str = "there is no display (DISPLAY and WAYLAND_DISPLAY are unset or empty); \
     start the app in a desktop \
         session or under Xvfb, or use `./run`, which records pictures instead";

    fn named(variable: &str) -> Option<String> {
        let value = std::env::var_os(variable)?;
        (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
    }

    pub fn find() -> Result<Display, String> {
        // The socket itself was handed over: trying it would use it up.
        if let Some(name) = named("WAYLAND_SOCKET") {
            return Ok(Display::Wayland { name });
        }
        let (wayland, x11) = (named("WAYLAND_DISPLAY"), named("DISPLAY"));
        match (wayland, x11) {
            (None, None) => Err(NONE.into()),
            (None, Some(name)) => open_x11(&name),
            (Some(name), None) => open_wayland(name),
            (Some(name), Some(x11)) => open_wayland(name).or_else(|why| {
                let display = open_x11(&x11).map_err(|e| format!("{why}; and {e}"))?;
                tracing::warn!("{why}; the X display {x11} is used instead");
                // SAFETY: called before any thread is started, so nothing reads the environment meanwhile.
                unsafe { std::env::remove_var("WAYLAND_DISPLAY") };
                Ok(display)
            }),
        }
    }

    fn open_wayland(name: String) -> Result<Display, String> {
        match wayland_client::Connection::connect_to_env() {
            Ok(_) => Ok(Display::Wayland { name }),
            Err(ConnectError::NoWaylandLib) => Err(
                "the library for Wayland (libwayland-client.so.0) cannot be opened; install \
                 libwayland-client0, which `./run` \
                 does"
                    .into(),
            ),
            Err(_) => Err(format!(
                "the Wayland display `{name}` (WAYLAND_DISPLAY) cannot be opened: no compositor \
                 answers in XDG_RUNTIME_DIR; \
                 start the app in a desktop session, or unset WAYLAND_DISPLAY to use X11"
            )),
        }
    }

    fn open_x11(name: &str) -> Result<Display, String> {
        let (connection, number) = x11rb::connect(Some(name)).map_err(|e| {
            format!(
                "the display `{name}` (DISPLAY) cannot be opened: {e}; set DISPLAY to one that \
                 runs, start the app in a desktop \
                 session or under Xvfb, or use `./run`, which records pictures instead"
            )
        })?;
        let screen = connection
            .setup()
            .roots
            .get(number)
            .ok_or_else(|| format!("the display `{name}` (DISPLAY) has no screen {number}"))?;
        let depth = screen.root_depth;
        if depth < LEAST_DEPTH {
            return Err(format!(
                "the display `{name}` has {depth} bits of colour a pixel, and the window needs \
                 {LEAST_DEPTH}; set the screen to \
                 24 bits (Xvfb: -screen 0 1600x900x24)"
            ));
        }
        let whole = (
            u32::from(screen.width_in_pixels),
            u32::from(screen.height_in_pixels),
        );
        let room = room(&connection, screen.root, whole);
        let name = name.to_string();
        Ok(Display::X11 { name, room, depth })
    }

    /// The first monitor, without the panels of the desktop and a window's frame.
    fn room(x: &RustConnection, root: Window, whole: (u32, u32)) -> (u32, u32) {
        let monitors = x
            .randr_get_monitors(root, true)
            .ok()
            .and_then(|asked| asked.reply().ok());
        let (mut width, mut height) = monitors
            .and_then(|reply| {
                let all = &reply.monitors;
                let first = all.iter().find(|m| m.primary).or(all.first())?;
                Some((u32::from(first.width), u32::from(first.height)))
            })
            .filter(|(w, h)| *w > 0 && *h > 0)
            .unwrap_or(whole);
        if let Some(area) = numbers(x, root, "_NET_WORKAREA")
            && let [_, _, w, h, ..] = area[..]
            && w > 0
            && h > 0
        {
            (width, height) = (width.min(w), height.min(h));
        }
        if numbers(x, root, "_NET_SUPPORTING_WM_CHECK").is_some() {
            width = width.saturating_sub(FRAME.0);
            height = height.saturating_sub(FRAME.1);
        }
        (width.max(1), height.max(1))
    }

    /// A property of the root window, if it is there.
    fn numbers(x: &RustConnection, root: Window, property: &str) -> Option<Vec<u32>> {
        let atom = x
            .intern_atom(true, property.as_bytes())
            .ok()?
            .reply()
            .ok()?;
        if atom.atom == u32::from(AtomEnum::NONE) {
            return None;
        }
        let asked = x
            .get_property(false, root, atom.atom, AtomEnum::ANY, 0, 64)
            .ok()?;
        let found: Vec<u32> = asked.reply().ok()?.value32()?.collect();
        (!found.is_empty()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_no_larger_than_the_screen_and_the_least_layout_always_fits() {
        assert_eq!(fitting(USUAL, Some((1366, 768))), (1366, 768));
        assert_eq!(fitting(USUAL, Some((3840, 2160))), USUAL);
        assert_eq!(fitting((800, 600), None), (800, 600));
        assert_eq!(fitting_zoom(1.0, (1600.0, 900.0)), 1.0);
        // Twice the size does not fit into 900 lines; 600 lines a layout do.
        assert_eq!(fitting_zoom(2.0, (1600.0, 900.0)), 1.5);
        assert_eq!(fitting_zoom(1.0, (640.0, 480.0)), 0.8);
    }
}

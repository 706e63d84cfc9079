//! The screens that the page is made for.

use std::fmt;

use serde_json::json;

use crate::browser::Page;

/// A screen, and the colours its owner prefers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
}

pub(crate) const PHONE: Look = Look { width: 360, height: 640, scheme: "light" };
pub(crate) const DESKTOP: Look = Look { width: 1280, height: 800, scheme: "light" };

pub(crate) const LOOKS: [Look; 4] = [PHONE, PHONE.dark(), DESKTOP, DESKTOP.dark()];

impl Look {
    pub(crate) const fn dark(self) -> Self {
        Self { scheme: "dark", ..self }
    }

    pub(crate) const fn is_phone(self) -> bool {
        self.width < 768
    }
}

impl fmt::Display for Look {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}×{}, {}", self.width, self.height, self.scheme)
    }
}

impl Page {
    /// Shows the page on such a screen, with nothing that turns.
    pub(crate) async fn wear(&self, look: Look) {
        self.wear_at_scale(look, 1.0).await;
    }

    /// What such a screen shows, as a PNG of some sixty kilobytes at most.
    pub(crate) async fn picture(&self, look: Look) -> Vec<u8> {
        self.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
        self.wear_at_scale(look, if look.is_phone() { 0.85 } else { 0.6 }).await;
        let picture = self.screenshot().await;
        self.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": false })).await;
        picture
    }

    async fn wear_at_scale(&self, look: Look, scale: f32) {
        let screen = json!({
            "width": look.width,
            "height": look.height,
            "deviceScaleFactor": scale,
            "mobile": look.is_phone(),
        });
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        let preferences = json!({ "features": [
            { "name": "prefers-color-scheme", "value": look.scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.devtools("Emulation.setEmulatedMedia", preferences).await;
    }
}

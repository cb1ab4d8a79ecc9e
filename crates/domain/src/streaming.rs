//! When the text of a streamed answer may leave the gateway.

use serde::{Deserialize, Serialize};

/// How an application's streams are released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Streaming {
    /// What has to be judged before text leaves.
    pub mode: StreamMode,
    /// What one window of `mode = "window"` is.
    pub window: WindowUnit,
    /// Characters of each text that wait in `mode = "window"`; in sentence windows only where a
    /// sentence is longer.
    pub window_chars: u32,
    /// Bytes of one stream that may wait in `mode = "buffered"`. What happens to a longer answer
    /// is the application's `fail`: closed cuts it, open passes the rest as `live`.
    pub buffer_bytes: u64,
}

impl Streaming {
    /// Smallest and largest `window_chars`.
    pub const WINDOW_CHARS: std::ops::RangeInclusive<u32> = 16..=20_000;

    /// Smallest and largest `buffer_bytes`.
    pub const BUFFER_BYTES: std::ops::RangeInclusive<u64> = 4_096..=67_108_864;
}

impl Default for Streaming {
    fn default() -> Self {
        Self {
            mode: StreamMode::Live,
            window: WindowUnit::Sentence,
            window_chars: 240,
            buffer_bytes: 4 * 1024 * 1024,
        }
    }
}

/// What has to be judged before text leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StreamMode {
    /// Only what could be the beginning of something that must not leave waits.
    #[default]
    Live,
    /// The newest sentence, or the newest characters, of every text wait.
    Window,
    /// The whole answer waits.
    Buffered,
}

impl StreamMode {
    /// Every mode, weakest guarantee first.
    pub const ALL: [Self; 3] = [Self::Live, Self::Window, Self::Buffered];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Window => "window",
            Self::Buffered => "buffered",
        }
    }
}
crate::incident::text_enum!(StreamMode);

/// What one window is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WindowUnit {
    /// A text leaves sentence by sentence, each once it is complete and judged.
    #[default]
    Sentence,
    /// The newest `window_chars` characters of a text always wait.
    Characters,
}

impl WindowUnit {
    /// Both units.
    pub const ALL: [Self; 2] = [Self::Sentence, Self::Characters];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sentence => "sentence",
            Self::Characters => "characters",
        }
    }
}
crate::incident::text_enum!(WindowUnit);

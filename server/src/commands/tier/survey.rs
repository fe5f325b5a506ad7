//! TIER HOTKEYS and TIER BIGKEYS.

use std::sync::Arc;

use basalt_tiering::{Kind, SurveyBy, SurveyKey, SurveyOptions};

use crate::args::{self, Cursor};
use crate::errors::{self, Error};
use crate::object_encoding::type_name;
use crate::session::{Next, SessionCtx};

const NO_SUCH_TYPE: Error = Error::new("ERR no such type");
const DEFAULT_COUNT: usize = 10;
const COUNT_MAX: u64 = 10_000;
/// Counters lie side by side in the tables, so many can be looked at …
const SAMPLE_HOT: u64 = 1_000_000;
/// … while sizes are asked of each entry, and of records on disk.
const SAMPLE_BIG: u64 = 100_000;

pub(super) fn hotkeys(ctx: &mut SessionCtx<'_>) -> Next {
    survey(ctx, SurveyBy::Heat, SAMPLE_HOT)
}

pub(super) fn bigkeys(ctx: &mut SessionCtx<'_>) -> Next {
    survey(ctx, SurveyBy::Size, SAMPLE_BIG)
}

fn survey(ctx: &mut SessionCtx<'_>, by: SurveyBy, sample: u64) -> Next {
    let options = match options(ctx, by, sample) {
        Ok(options) => options,
        Err(error) => return error.into(),
    };
    let server = Arc::clone(ctx.server);
    Next::work(move |out| {
        let survey = match server.data().store.survey(&options) {
            Ok(survey) => survey,
            Err(error) => return out.error(errors::store_failed(&error).as_bytes()),
        };
        out.map(3);
        out.bulk("sampled");
        out.integer(survey.sampled as i64);
        out.bulk("total");
        out.integer(survey.total as i64);
        out.bulk("keys");
        out.array(survey.keys.len());
        for key in &survey.keys {
            reply(out, key);
        }
    })
}

fn reply(out: &mut basalt_resp::Encoder<'_>, key: &SurveyKey) {
    out.map(7);
    out.bulk("key");
    out.bulk(&key.key);
    out.bulk("db");
    out.integer(i64::from(key.db));
    out.bulk("type");
    out.bulk(Kind::from_code(key.kind).map_or("unknown", type_name));
    out.bulk("tier");
    out.bulk(if key.hot { "hot" } else { "cold" });
    out.bulk("lfu");
    out.integer(i64::from(key.lfu));
    out.bulk("bytes");
    out.integer(key.bytes as i64);
    out.bulk("elements");
    match key.elements {
        Some(elements) => out.integer(elements as i64),
        None => out.null(),
    }
}

fn options(ctx: &SessionCtx<'_>, by: SurveyBy, sample: u64) -> Result<SurveyOptions, Error> {
    let mut options = SurveyOptions {
        by,
        count: DEFAULT_COUNT,
        sample,
        kind: None,
    };
    let mut words = Cursor::at(ctx.args, 2);
    while let Some(word) = words.next() {
        if args::is(word, "COUNT") {
            options.count = args::positive(words.value()?)?.min(COUNT_MAX) as usize;
        } else if args::is(word, "SAMPLE") {
            options.sample = args::positive(words.value()?)?;
        } else if args::is(word, "TYPE") {
            let name = words.value()?;
            let kind = (0..=u8::MAX)
                .filter_map(Kind::from_code)
                .find(|kind| args::is(name, type_name(*kind)));
            options.kind = Some(kind.ok_or(NO_SUCH_TYPE)?);
        } else {
            return Err(errors::SYNTAX);
        }
    }
    Ok(options)
}

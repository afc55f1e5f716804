#include "ingest/answer.hpp"

#include "ingest/escape.hpp"

namespace headrace::ingest {

reply success_reply(bool beacon) {
    reply out;
    out.status = beacon ? 204 : 200;
    if (!beacon) out.body = "{\"status\":\"Ok\"}";
    return out;
}

reply salvage_reply(bool beacon, const std::vector<refused_event>& listed, std::size_t count) {
    if (beacon || count == 0) return success_reply(beacon);
    reply out;
    out.body = "{\"status\":\"Ok\",\"rejected\":[";
    for (const refused_event& event : listed) {
        if (out.body.back() == '}') out.body += ',';
        out.body += "{\"index\":" + std::to_string(event.index) + ",\"reason\":\"";
        out.body += describe(event.why.reason).label;
        out.body += '"';
        if (!event.why.detail.empty()) {
            out.body += ",\"detail\":\"";
            const std::size_t at = out.body.size();
            out.body.resize(at + escaped_max(event.why.detail.size()));
            const char* end = escape(event.why.detail, out.body.data() + at);
            out.body.resize(static_cast<std::size_t>(end - out.body.data()));
            out.body += '"';
        }
        out.body += '}';
    }
    out.body += ']';
    if (count > listed.size()) out.body += ",\"rejected_count\":" + std::to_string(count);
    out.body += '}';
    return out;
}

reply error_reply(const reject& why) {
    reply out;
    out.status = why.status();
    out.json = false;
    out.retry_after = out.status == 503;
    out.body = why.text();
    return out;
}

}  // namespace headrace::ingest

#include "kafka/client_stats.hpp"
#include "kafka/error_fate.hpp"
#include "kafka/librdkafka_conf.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <string>

using namespace headrace;

namespace {

struct made {
    explicit made(config::kafka_settings s, kafka::conf_choice choice = {}) {
        conf = kafka::make_conf(s, choice, warnings);
    }
    std::string operator[](const char* name) const { return kafka::conf_value(conf.get(), name); }
    std::string warning_about(const std::string& name) const {
        for (const std::string& w : warnings)
            if (w.find(name) != std::string::npos) return w;
        return {};
    }
    std::vector<std::string> warnings;
    kafka::conf_ptr conf;
};

}  // namespace

TEST_CASE("the default properties keep the promises and need no warning") {
    config::kafka_settings s;
    s.brokers = {"a:9092", "b:9092"};
    kafka::conf_choice choice;
    choice.memory = 64 << 20;
    const made m(s, choice);
    CHECK(m.warnings.empty());
    CHECK(m["bootstrap.servers"] == "a:9092,b:9092");
    CHECK(m["acks"] == "-1");
    CHECK(m["partitioner"] == "murmur2_random");
    CHECK(m["linger.ms"] == "1");
    CHECK(m["message.max.bytes"] == "1000000");
    CHECK(m["message.timeout.ms"] == "300000");
    CHECK(m["queue.buffering.max.kbytes"] == "65536");
    CHECK(m["statistics.interval.ms"] == "5000");
    const bool sound = kafka::idempotence_is_sound(rd_kafka_version());
    CHECK(m["enable.idempotence"] == (sound ? "true" : "false"));
    CHECK(m["max.in.flight"] == (sound ? "5" : "1"));
    CHECK(m["message.send.max.retries"] == "2147483647");
}

TEST_CASE("idempotence is trusted from librdkafka 2.5 on") {
    CHECK_FALSE(kafka::idempotence_is_sound(0x020002ff));
    CHECK_FALSE(kafka::idempotence_is_sound(0x020402ff));
    CHECK(kafka::idempotence_is_sound(0x020500ff));
    CHECK(kafka::idempotence_is_sound(0x020800ff));
}

TEST_CASE("properties that would break a promise are ignored with a reason") {
    config::kafka_settings s;
    const auto [name, value] = GENERATE(
        std::pair{"acks", "1"},
        std::pair{"request.required.acks", "0"},
        std::pair{"topic.acks", "1"},
        std::pair{"topic.request.required.acks", "0"},
        std::pair{"max.in.flight", "0x64"},
        std::pair{"topic.queuing.strategy", "lifo"},
        std::pair{"test.mock.num.brokers", "1"},
        std::pair{"retries", "2"},
        std::pair{"message.send.max.retries", "0"},
        std::pair{"max.in.flight", "1000000"},
        std::pair{"max.in.flight.requests.per.connection", "100"},
        std::pair{"delivery.report.only.error", "true"},
        std::pair{"transactional.id", "x"},
        std::pair{"queuing.strategy", "lifo"},
        std::pair{"statistics.interval.ms", "0"}
    );
    CAPTURE(name);
    s.librdkafka[name] = value;
    const made m(s);
    REQUIRE(m.warnings.size() == 1);
    CHECK_THAT(m.warnings[0], ContainsSubstring(name));
    CHECK(m["acks"] == "-1");
    CHECK(m["message.send.max.retries"] == "2147483647");
    CHECK(m["delivery.report.only.error"] == "false");
    CHECK(m["statistics.interval.ms"] == "5000");
    CHECK(m["queuing.strategy"] == "fifo");
    CHECK(m["test.mock.num.brokers"] == "0");
    CHECK(m["max.in.flight"] == (kafka::idempotence_is_sound(rd_kafka_version()) ? "5" : "1"));
    CHECK(kafka::broken_promise(m.conf.get()).empty());
}

TEST_CASE("every notation of acks=all is taken") {
    config::kafka_settings s;
    const std::string name = GENERATE("acks", "topic.acks", "topic.request.required.acks");
    const std::string value = GENERATE("all", "ALL", "-1");
    s.librdkafka[name] = value;
    const made m(s);
    CHECK(m.warnings.empty());
    CHECK(m["acks"] == "-1");
}

TEST_CASE("unsound idempotence is refused in every notation of true") {
    config::kafka_settings s;
    s.librdkafka["enable.idempotence"] = GENERATE("true", "True", "1", "t");
    const made m(s);
    const bool sound = kafka::idempotence_is_sound(rd_kafka_version());
    CHECK(m["enable.idempotence"] == (sound ? "true" : "false"));
    CHECK(m.warnings.size() == (sound ? 0 : 1));
}

TEST_CASE("without idempotence one request is in flight") {
    config::kafka_settings s;
    s.librdkafka = {{"enable.idempotence", "0"}, {"max.in.flight", "3"}};
    CHECK(made(s)["max.in.flight"] == "1");
}

TEST_CASE("a broken promise is told from what the client library holds") {
    const auto [name, value] = GENERATE(
        std::pair{"topic.acks", "1"},
        std::pair{"delivery.report.only.error", "true"},
        std::pair{"queuing.strategy", "lifo"},
        std::pair{"max.in.flight", "1000"},
        std::pair{"test.mock.num.brokers", "3"}
    );
    CAPTURE(name);
    const made m(config::kafka_settings{});
    CHECK(kafka::broken_promise(m.conf.get()).empty());
    REQUIRE(rd_kafka_conf_set(m.conf.get(), name, value, nullptr, 0) == RD_KAFKA_CONF_OK);
    CHECK_FALSE(kafka::broken_promise(m.conf.get()).empty());
}

TEST_CASE("unknown properties and refused values are warned about, the rest is applied") {
    config::kafka_settings s;
    s.librdkafka = {{"no.such.thing", "1"}, {"linger.ms", "many"}, {"batch.size", "4096"}};
    const made m(s);
    CHECK(m.warnings.size() == 2);
    CHECK_THAT(m.warning_about("no.such.thing"), ContainsSubstring("does not know"));
    CHECK_THAT(m.warning_about("linger.ms"), ContainsSubstring("refuses"));
    CHECK(m["batch.size"] == "4096");
}

TEST_CASE("a warning never holds the value of a secret") {
    config::kafka_settings s;
    s.librdkafka = {{"sasl.passwort", "hunter2"}, {"ssl.key.password.x", "hunter2"}};
    for (const std::string& w : made(s).warnings) CHECK(w.find("hunter2") == std::string::npos);
}

TEST_CASE("the queue is held within the memory budget") {
    config::kafka_settings s;
    s.librdkafka = {{"queue.buffering.max.kbytes", GENERATE("4000000", "0x100000", " 4000000")}};
    kafka::conf_choice choice;
    choice.memory = 8 << 20;
    const made m(s, choice);
    CHECK(m["queue.buffering.max.kbytes"] == "8192");
    CHECK(m.warnings.size() == 1);
}

TEST_CASE("TLS and SASL settings reach the client library") {
    config::kafka_settings s;
    s.security_protocol = "sasl_ssl";
    s.sasl_mechanism = "SCRAM-SHA-512";
    s.sasl_username = "u";
    s.sasl_password = "p";
    s.ssl_ca = "/etc/ca.pem";
    const made m(s);
    CHECK(m["security.protocol"] == "sasl_ssl");
    CHECK(m["sasl.mechanism"] == "SCRAM-SHA-512");
    CHECK(m["ssl.ca.location"] == "/etc/ca.pem");
    CHECK(m["enable.ssl.certificate.verification"] == "true");
    CHECK(m["ssl.endpoint.identification.algorithm"] == "https");
    s.ssl_verify = false;
    CHECK(made(s)["enable.ssl.certificate.verification"] == "false");
}

TEST_CASE("a CA file that is not there is a plain sentence, not a crash") {
    config::kafka_settings s;
    s.brokers = {"127.0.0.1:9"};
    s.security_protocol = "ssl";
    s.ssl_ca = "/nonexistent/ca.pem";
    std::vector<std::string> warnings;
    std::string error;
    kafka::client_log log({});
    CHECK_FALSE(kafka::make_client(s, {}, log, warnings, error));
    CHECK_THAT(error, ContainsSubstring("/nonexistent/ca.pem"));
}

TEST_CASE("of the passthrough properties only those that prevent the client are left out") {
    config::kafka_settings s;
    s.brokers = {"127.0.0.1:9"};
    s.librdkafka = {
        {"security.protocol", "ssl"},
        {"ssl.ca.location", "/nonexistent/ca.pem"},
        {"batch.size", "4096"}};
    const bool two = GENERATE(false, true);
    if (two) s.librdkafka["ssl.key.location"] = "/nonexistent/key.pem";
    std::vector<std::string> warnings;
    std::string error;
    kafka::client_log log({});
    const kafka::client_ptr client = kafka::make_client(s, {}, log, warnings, error);
    REQUIRE(client);
    const rd_kafka_conf_t* conf = rd_kafka_conf(client.get());
    CHECK(kafka::conf_value(conf, "batch.size") == "4096");
    CHECK(kafka::conf_value(conf, "security.protocol") == "ssl");
    CHECK(warnings.size() >= (two ? 2 : 1));
    const auto named = [&warnings](const std::string& name) {
        return std::any_of(warnings.begin(), warnings.end(), [&name](const std::string& w) {
            return w.find("[kafka.librdkafka] " + name + " is ignored") != std::string::npos;
        });
    };
    CHECK(named("ssl.ca.location"));
    CHECK(named("ssl.key.location") == two);
    CHECK_FALSE(named("batch.size"));
}

TEST_CASE("each error of the client has a fate") {
    using kafka::error_fate;
    CHECK(kafka::fate_of(RD_KAFKA_RESP_ERR_NO_ERROR, false) == error_fate::acked);
    CHECK(kafka::fate_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, false) == error_fate::send_alone);
    CHECK(kafka::fate_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, true) == error_fate::too_large);
    CHECK(kafka::fate_of(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, false) == error_fate::send_alone);
    CHECK(kafka::fate_of(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, true) == error_fate::too_large);
    CHECK(kafka::fate_of(RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, true) == error_fate::spool);
    const rd_kafka_err_desc* all = nullptr;
    std::size_t n = 0;
    rd_kafka_get_err_descs(&all, &n);
    for (std::size_t i = 0; i < n; ++i) {
        if (all[i].code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        CAPTURE(all[i].code);
        CHECK(kafka::fate_of(all[i].code, false) != error_fate::acked);
        CHECK(kafka::fate_of(all[i].code, false) != error_fate::too_large);
        CHECK(kafka::fate_of(all[i].code, true) != error_fate::send_alone);
    }
}

TEST_CASE("brokers up and known are read from the statistics") {
    const auto stats = kafka::parse_client_stats(
        R"({"name":"x","msg_cnt":3,"brokers":{)"
        R"("a:1/bootstrap":{"name":"a:1/bootstrap","nodeid":-1,"nodename":"a:1","source":"configured","state":"UP"},)"
        R"("a:1/1":{"name":"a:1/1","nodeid":1,"nodename":"a:1","source":"learned","state":"UP","toppars":{}},)"
        R"("b:1/2":{"name":"b:1/2","nodeid":2,"nodename":"b:1","source":"learned","state":"DOWN"}},)"
        R"("topics":{"t":{"topic":"t"}}})"
    );
    CHECK(stats.brokers_known == 2);
    CHECK(stats.brokers_up == 2);
    const auto first = kafka::parse_client_stats(
        R"({"brokers":{"a":{"nodeid":-1,"source":"configured","state":"TRY_CONNECT"}}})"
    );
    CHECK(first.brokers_known == 1);
    CHECK(first.brokers_up == 0);
    CHECK(kafka::parse_client_stats("").brokers_known == 0);
    CHECK(kafka::parse_client_stats("{\"brokers\":{\"nodeid\":").brokers_up == 0);
}

// Precedence, origins, aliases, unknown names, secrets.
#include "config/load.hpp"

#include "tests/unit/config/wrong.hpp"

using wrong::inputs;
using namespace headrace::config;

namespace {

std::vector<std::string> lines(const loaded& in) {
    std::vector<std::string> out;
    for (const auto& one : in.problems) out.push_back(to_string(one));
    return out;
}

loaded read(const inputs& from) {
    wrong::files here;
    return load(here.read(from));
}

}  // namespace

TEST_CASE("without any source every setting has its default and nothing is wrong") {
    auto out = load({});
    CHECK(out.problems.empty());
    CHECK_FALSE(out.has_errors());
    CHECK(wrong::all_problems(out).empty());
    CHECK(out.origins.at("kafka.brokers") == "default");
    CHECK(out.settings.kafka.linger == std::chrono::milliseconds(1));
    CHECK(out.settings.server.listen.empty());
}

TEST_CASE("flags win over the environment, the environment over the file") {
    wrong::files here;
    inputs all{
        "[kafka]\nlinger = \"1ms\"\nclient_id = \"file\"\ncompression = \"lz4\"",
        "HEADRACE_KAFKA_LINGER=2ms",
        "HEADRACE_KAFKA_CLIENT_ID=environment",
        "--kafka-linger=3ms"};
    auto out = load(here.read(all));
    CHECK(lines(out).empty());
    CHECK(out.settings.kafka.linger == std::chrono::milliseconds(3));
    CHECK(out.settings.kafka.client_id == "environment");
    CHECK(out.settings.kafka.compression == "lz4");
    CHECK(out.origins.at("kafka.linger") == "--kafka-linger");
    CHECK(out.origins.at("kafka.client_id") == "HEADRACE_KAFKA_CLIENT_ID");
    CHECK(here.shorten(out.origins.at("kafka.compression")) == "{dir}/headrace.toml:4");
}

TEST_CASE("the fixed names reach their settings") {
    auto out = read(
        {"--listen=0.0.0.0:0,unix:/run/h.sock",
         "--admin-listen=127.0.0.1:9",
         "--spool-dir=/data",
         "HEADRACE_REDIS_URL=redis://r:6379",
         "HEADRACE_INGEST_MODE=strict",
         "HEADRACE_INGEST_OVERFLOW=g2",
         "HEADRACE_LIMITS_MEMORY=64MiB",
         "HEADRACE_SPOOL_SHIP_OLD=true",
         "HEADRACE_ADMIN_TOKEN=0123456789abcdef"}
    );
    CHECK(lines(out).empty());
    CHECK(out.settings.server.listen == std::vector<std::string>{"0.0.0.0:0", "unix:/run/h.sock"});
    CHECK(out.settings.server.admin_listen == std::vector<std::string>{"127.0.0.1:9"});
    CHECK(out.settings.spool.dir == "/data");
    CHECK(out.settings.redis.url == "redis://r:6379");
    CHECK(out.settings.ingest.mode == ingest_mode::strict);
    CHECK(out.settings.ingest.overflow == overflow_mode::g2);
    CHECK(out.settings.limits.memory == 64 * MiB);
    CHECK(out.settings.spool.ship_old);
    CHECK(out.settings.server.admin_token == "0123456789abcdef");
    CHECK(read({"HEADRACE_SERVER_LISTEN=[::]:1"}).settings.server.listen.front() == "[::]:1");
    CHECK(
        read({"HEADRACE_ADMIN_LISTEN=[::1]:1"}).settings.server.admin_listen.front() == "[::1]:1"
    );
}

TEST_CASE("PostHog's variables set ours in their own units") {
    auto out = read(
        {"ADDRESS=0.0.0.0:3000",
         "KAFKA_HOSTS=kafka:9092, other:9092",
         "KAFKA_PRODUCER_LINGER_MS=20",
         "KAFKA_PRODUCER_MESSAGE_MAX_BYTES=900000",
         "KAFKA_MESSAGE_TIMEOUT_MS=20000",
         "KAFKA_COMPRESSION_CODEC=lz4",
         "KAFKA_TOPIC=a",
         "KAFKA_EXCEPTIONS_TOPIC=old",
         "AI_MAX_EVENT_BYTES=0",
         "CAPTURE_AI_LANE_PREDICATE=prefix",
         "CAPTURE_MODE= Events ",
         "KAFKA_PRODUCER_ACKS=all",
         "KAFKA_PRODUCER_BATCH_SIZE=500000",
         "KAFKA_PRODUCER_PARTITIONER=murmur2_random",
         "OTEL_SERVICE_NAME=capture-eu",
         "LOG_LEVEL=TRACE",
         "ENABLE_HISTORICAL_REROUTING=true",
         "S3_FALLBACK_ENABLED=false",
         "REDIS_URL=redis://redis7:6379/"}
    );
    CHECK(lines(out).empty());
    const auto& kafka = out.settings.kafka;
    CHECK(out.settings.server.listen.front() == "0.0.0.0:3000");
    CHECK(kafka.brokers == std::vector<std::string>{"kafka:9092", "other:9092"});
    CHECK(kafka.linger == std::chrono::milliseconds(20));
    CHECK(kafka.message_max == 900'000);
    CHECK(kafka.message_timeout == std::chrono::seconds(20));
    CHECK(kafka.compression == "lz4");
    CHECK(kafka.topics.analytics_main == "a");
    CHECK(kafka.topics.error_tracking == "old");
    CHECK(kafka.librdkafka.at("batch.size") == "500000");
    CHECK(out.settings.ingest.ai_event_max == 0);
    CHECK(out.settings.ingest.ai_lane_by_prefix);
    CHECK(out.settings.ingest.historical_rerouting);
    CHECK(out.settings.metrics.role == "capture-eu");
    CHECK(out.settings.log.level == log_level::debug);
    CHECK(out.origins.at("kafka.brokers") == "KAFKA_HOSTS");
}

TEST_CASE("our own name beats an alias, the newer alias the older, and both are told") {
    auto out = read(
        {"KAFKA_HOSTS=old:1",
         "KAFKA_INGESTION_PRODUCER_METADATA_BROKER_LIST=new:1",
         "HEADRACE_KAFKA_BROKERS=own:1"}
    );
    CHECK(out.settings.kafka.brokers.front() == "own:1");
    CHECK(
        lines(out) ==
        inputs{
            "warning: kafka.brokers: \"new:1\" (from "
            "KAFKA_INGESTION_PRODUCER_METADATA_BROKER_LIST):"
            " KAFKA_HOSTS says \"old:1\", which is not used. Remove one of the two.",
            "warning: kafka.brokers: \"own:1\" (from HEADRACE_KAFKA_BROKERS): "
            "KAFKA_INGESTION_PRODUCER_METADATA_BROKER_LIST says \"new:1\", which is not used. "
            "Remove one of the two."}
    );
    CHECK(lines(read({"KAFKA_HOSTS=a:1", "HEADRACE_KAFKA_BROKERS=a:1"})).empty());
    CHECK(lines(read({"[kafka]\nbrokers = \"a:1\"", "HEADRACE_KAFKA_BROKERS=b:1"})).empty());
}

TEST_CASE("values of PostHog that do not fit are clamped with a warning") {
    auto out = read({"KAFKA_PRODUCER_LINGER_MS=60000", "KAFKA_SOCKET_TIMEOUT_MS=1"});
    CHECK_FALSE(wrong::has_errors(wrong::all_problems(out)));
    CHECK(out.settings.kafka.linger == std::chrono::milliseconds(500));
    CHECK(out.settings.kafka.socket_timeout == std::chrono::milliseconds(10));
    CHECK(
        lines(out) ==
        inputs{
            "warning: kafka.linger: \"60000\" (from KAFKA_PRODUCER_LINGER_MS): the value is out of "
            "range, 10s is used. Set HEADRACE_KAFKA_LINGER instead.",
            "warning: kafka.socket_timeout: \"1\" (from KAFKA_SOCKET_TIMEOUT_MS): the value is out "
            "of range, 10ms is used. Set HEADRACE_KAFKA_SOCKET_TIMEOUT instead.",
            "warning: kafka.linger: \"10s\" (from KAFKA_PRODUCER_LINGER_MS): it is not shorter "
            "than "
            "kafka.ack_timeout, 500ms is used. Set HEADRACE_KAFKA_LINGER instead."}
    );
}

TEST_CASE("KAFKA_TLS verifies certificates and names the setting for a private CA") {
    auto out = read({"KAFKA_TLS=true", "KAFKA_HOSTS=kafka:9093"});
    CHECK(out.settings.kafka.security_protocol == "ssl");
    CHECK(out.settings.kafka.ssl_verify);
    CHECK(
        lines(out) ==
        inputs{
            "warning: kafka.security_protocol: \"true\" (from KAFKA_TLS): TLS is on and, unlike in "
            "PostHog's capture, the brokers' certificates are verified. For brokers with a private "
            "CA set kafka.ssl_ca (HEADRACE_KAFKA_SSL_CA) to its PEM file."}
    );
    CHECK(read({"KAFKA_TLS=false"}).settings.kafka.security_protocol == "plaintext");
}

TEST_CASE("what we know of PostHog but do not use is listed without its values") {
    auto out = read(
        {"GLOBAL_RATE_LIMIT_ENABLED=true",
         "AI_S3_SECRET_ACCESS_KEY=hunter2",
         "RUST_LOG=info",
         "REDIS_KEY_PREFIX=",
         "KAFKA_PRODUCER_QUEUE_MIB=400",
         "PATH=/bin",
         "HOSTNAME=pod-1"}
    );
    CHECK_FALSE(out.has_errors());
    CHECK(
        lines(out) ==
        inputs{
            "warning: KAFKA_PRODUCER_QUEUE_MIB: \"400\": headrace derives its queues from one "
            "memory budget. Remove it; limits.memory sets the budget.",
            "warning: AI_S3_SECRET_ACCESS_KEY, GLOBAL_RATE_LIMIT_ENABLED, RUST_LOG (from "
            "environment): variables of PostHog that this version knows but does not use. Remove "
            "them, or leave them; they have no effect."}
    );
}

TEST_CASE("an unknown HEADRACE variable is a warning, and an error when strict") {
    auto out = read({"HEADRACE_KAFKA_BROKER=a:1", "HEADRACE_QUITE_DIFFERENT=1"});
    CHECK_FALSE(out.has_errors());
    CHECK(
        lines(out) ==
        inputs{
            "warning: HEADRACE_KAFKA_BROKER: there is no such variable, it has no effect. Did you "
            "mean HEADRACE_KAFKA_BROKERS?",
            "warning: HEADRACE_QUITE_DIFFERENT: there is no such variable, it has no effect. "
            "Remove it."}
    );
    refuse_unknown(out.problems);
    CHECK(out.has_errors());
    CHECK(lines(out).front().starts_with("error: HEADRACE_KAFKA_BROKER: "));
}

TEST_CASE("strict leaves other warnings alone") {
    auto out = read({"KAFKA_PRODUCER_QUEUE_MIB=400"});
    refuse_unknown(out.problems);
    CHECK_FALSE(out.has_errors());
}

TEST_CASE("what Kubernetes sets for a Service is ignored") {
    auto out = read(
        {"HEADRACE_SERVICE_HOST=10.0.0.1",
         "HEADRACE_SERVICE_PORT=3000",
         "HEADRACE_SERVICE_PORT_HTTP=3000",
         "HEADRACE_PORT=tcp://10.0.0.1:3000",
         "HEADRACE_PORT_3000_TCP=tcp://10.0.0.1:3000",
         "HEADRACE_PORT_3000_TCP_PROTO=tcp",
         "HEADRACE_ADMIN_PORT_3001_TCP_ADDR=10.0.0.1",
         "HEADRACE_ADMIN_SERVICE_HOST=10.0.0.1"}
    );
    CHECK(lines(out).empty());
    CHECK(lines(read({"HEADRACE_PORT_HTTP=1"})).size() == 1);
}

TEST_CASE("properties of librdkafka come from every source") {
    auto out = read(
        {"[kafka.librdkafka]\n\"linger.ms\" = 7\nsocket.keepalive.enable = true",
         "HEADRACE_KAFKA_LIBRDKAFKA_CLIENT_RACK=r1",
         "HEADRACE_KAFKA_LIBRDKAFKA_SSL_KEYSTORE_PASSWORD_FILE={dir}/secret",
         "--kafka-librdkafka-linger-ms=9"}
    );
    CHECK(lines(out).empty());
    auto expected = std::map<std::string, std::string>{
        {"linger.ms", "9"},
        {"socket.keepalive.enable", "true"},
        {"client.rack", "r1"},
        {"ssl.keystore.password", "s3cret-of-a-test"}};
    CHECK(out.settings.kafka.librdkafka == expected);
    CHECK(out.origins.at("kafka.librdkafka.linger.ms") == "--kafka-librdkafka-linger-ms");
}

TEST_CASE("a secret is read from a file, without its line end") {
    for (auto source :
         {"[kafka]\nsasl_password_file = \"{dir}/secret\"",
          "HEADRACE_KAFKA_SASL_PASSWORD_FILE={dir}/secret",
          "--kafka-sasl-password-file={dir}/secret"}) {
        auto out = read({source});
        CHECK(lines(out).empty());
        CHECK(out.settings.kafka.sasl_password == "s3cret-of-a-test");
    }
    CHECK(
        read({"HEADRACE_ADMIN_TOKEN_FILE={dir}/secret"}).settings.server.admin_token.size() == 16
    );
}

TEST_CASE("flags may repeat and a boolean flag may stand alone") {
    sources from;
    from.flags = {{"spool-ship-old", ""}, {"log-level", "warn"}, {"log-level", "error"}};
    auto out = load(from);
    CHECK(out.settings.spool.ship_old);
    CHECK(out.settings.log.level == log_level::error);
    CHECK(out.problems.size() == 1);
    CHECK(kind_of_flag("spool-ship-old") == flag_kind::boolean);
    CHECK(kind_of_flag("listen") == flag_kind::value);
    CHECK(kind_of_flag("kafka-librdkafka-linger-ms") == flag_kind::value);
    CHECK(kind_of_flag("wormhole") == flag_kind::unknown);
    CHECK(nearest_flag("liten") == "listen");
    CHECK(nearest_flag("zzzzzzzz").empty());
}

TEST_CASE("an empty variable counts as unset, HEADRACE_CONFIG names the file") {
    wrong::files here;
    here.write("own.toml", "[log]\nlevel = \"warn\"\n");
    auto out = load(here.read({"HEADRACE_CONFIG={dir}/own.toml", "HEADRACE_LOG_LEVEL="}));
    CHECK(lines(out).empty());
    CHECK(out.settings.log.level == log_level::warn);
}

TEST_CASE("hostile files end in one message") {
    wrong::files here;
    std::string deep(100'000, '[');
    std::string binary = "[log]\nlevel = \"\x01\xff\"\n";
    std::string huge(2 << 20, '#');
    for (const auto& text :
         {std::string("[log"),
          std::string("[="),
          deep,
          "a = " + deep,
          binary,
          huge,
          std::string("a = 1\na = 2")}) {
        here.write("bad.toml", text);
        auto out = load(here.read({"HEADRACE_CONFIG={dir}/bad.toml"}));
        INFO(text.substr(0, 20));
        REQUIRE(out.problems.size() == 1);
        CHECK(out.has_errors());
        CHECK(to_string(out.problems[0]).find('\n') == std::string::npos);
    }
    auto directory = load(here.read({"HEADRACE_CONFIG={dir}"}));
    CHECK(directory.has_errors());
    here.write("bad.toml", "[log]\nlevel = \n");
    auto syntax = here.messages({"HEADRACE_CONFIG={dir}/bad.toml"});
    CHECK(syntax.front().starts_with(
        "error: config: \"{dir}/bad.toml\" (from {dir}/bad.toml:2): this is not valid TOML ("
    ));
}

TEST_CASE("a message is one line and short, whatever the value") {
    auto out = read({"HEADRACE_LOG_LEVEL=a\nb\x1b[31m" + std::string(5'000, 'x')});
    REQUIRE(out.problems.size() == 1);
    auto text = to_string(out.problems[0]);
    CHECK(text.size() < 500);
    CHECK_THAT(text, ContainsSubstring("a\\x0ab\\x1b[31mxxx"));
}

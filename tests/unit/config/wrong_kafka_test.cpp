// Wrong configurations with all that is said about them. See wrong.hpp for the notation.
#include "tests/unit/config/wrong.hpp"

TEST_CASE(
    "wrong settings of Kafka, the store and PostHog's variables are explained and the remedy mends "
    "them"
) {
    wrong::run({
        {{"HEADRACE_SPOOL_SEGMENT=512KiB"},
         {"error: spool.segment: \"512KiB\" (from HEADRACE_SPOOL_SEGMENT): the value is out of "
          "range. Write a value from 1MiB to 1GiB."},
         {"HEADRACE_SPOOL_SEGMENT=1MiB"}},
        {{"--spool-dir=data"},
         {"error: spool.dir: \"data\" (from --spool-dir): the path is not absolute, it would "
          "depend on where headrace is started. Write a path that begins with a slash."},
         {"--spool-dir=/data"}},
        {{"HEADRACE_SPOOL_MAX_SIZE=100MiB"},
         {"error: spool.max_size: \"100MiB\" (from HEADRACE_SPOOL_MAX_SIZE): it holds fewer than "
          "two segments (64MiB each). Raise it to at least 128MiB, or lower spool.segment."},
         {"HEADRACE_SPOOL_MAX_SIZE=128MiB"}},
        {{"HEADRACE_DEAD_LETTERS_KEEP=90m"},
         {"error: dead_letters.keep: \"90m\" (from HEADRACE_DEAD_LETTERS_KEEP): only whole hours "
          "count here. Write 24h, for example."},
         {"HEADRACE_DEAD_LETTERS_KEEP=24h"}},
        {{"REDIS_URL=redis+sentinel://:pw@a:26379/main"},
         {"error: redis.url: \"redis+sentinel://***@a:26379/main\" (from REDIS_URL): Redis "
          "Sentinel is not supported. Write redis://host:port of an address that follows the "
          "primary."},
         {"REDIS_URL=redis://:pw@a:6379"}},
        {{"REDIS_URL=redis-cluster://a:6379"},
         {"error: redis.url: \"redis-cluster://a:6379\" (from REDIS_URL): Redis Cluster is not "
          "supported. Write redis://host:port of a server that is not in cluster mode."},
         {"REDIS_URL=redis://a:6379"}},
        {{"HEADRACE_REDIS_URL=redis:6379"},
         {"error: redis.url: \"redis:6379\" (from HEADRACE_REDIS_URL): this is no URL of a Redis "
          "server. Write redis://host:port, rediss://host:port for TLS, or unix:///path."},
         {"HEADRACE_REDIS_URL=redis://redis:6379"}},
        {{"HEADRACE_REDIS_URL=redis://user:pw@:6379"},
         {"error: redis.url: \"redis://***@:6379\" (from HEADRACE_REDIS_URL): the URL names no "
          "valid host and port. Write redis://host:6379, for example."},
         {"HEADRACE_REDIS_URL=redis://user:pw@host:6379"}},
        {{"HEADRACE_REDIS_URL=redis://a:1,redis://b:1"},
         {"error: redis.url: \"redis://a:1,redis://b:1\" (from HEADRACE_REDIS_URL): one Redis "
          "server is expected, not a list of them. Write the URL of one server."},
         {"HEADRACE_REDIS_URL=redis://a:1"}},
        {{"KAFKA_HOSTS=http://kafka:9092"},
         {"error: kafka.brokers: \"http://kafka:9092\" (from KAFKA_HOSTS): \"http://kafka:9092\" "
          "is a URL, a broker is not. Write kafka:9092."},
         {"KAFKA_HOSTS=kafka:9092"}},
        {{"HEADRACE_KAFKA_BROKERS=kafka:0,[::1:9092"},
         {"error: kafka.brokers: \"kafka:0,[::1:9092\" (from HEADRACE_KAFKA_BROKERS): \"kafka:0\" "
          "has no valid port. Write a port from 1 to 65535, for example kafka:9092.",
          "error: kafka.brokers: \"kafka:0,[::1:9092\" (from HEADRACE_KAFKA_BROKERS): "
          "\"[::1:9092\" is no broker. Write host:port, for example kafka:9092."},
         {"HEADRACE_KAFKA_BROKERS=kafka:9092,[::1]:9092"}},
        {{"HEADRACE_KAFKA_BROKERS=fe80::1:9092"},
         {"error: kafka.brokers: \"fe80::1:9092\" (from HEADRACE_KAFKA_BROKERS): an IPv6 address "
          "needs brackets. Write [fe80::1]:9092."},
         {"HEADRACE_KAFKA_BROKERS=[fe80::1]:9092"}},
        {{"HEADRACE_KAFKA_LINGER=5"},
         {"error: kafka.linger: \"5\" (from HEADRACE_KAFKA_LINGER): a duration needs a unit. Write "
          "5ms, 5s, 5m or 5h."},
         {"HEADRACE_KAFKA_LINGER=5ms"}},
        {{"HEADRACE_KAFKA_LINGER=2s"},
         {"error: kafka.linger: \"2s\" (from HEADRACE_KAFKA_LINGER): records would wait longer "
          "than kafka.ack_timeout (2s). Write 5ms, for example."},
         {"HEADRACE_KAFKA_LINGER=5ms"}},
        {{"HEADRACE_KAFKA_ACK=all"},
         {"error: kafka.ack: \"all\" (from HEADRACE_KAFKA_ACK): the value is not known. Use kafka, "
          "disk or enqueued."},
         {"HEADRACE_KAFKA_ACK=kafka"}},
        {{"HEADRACE_KAFKA_ACK=enqueued"},
         {"error: kafka.ack: \"enqueued\" (from HEADRACE_KAFKA_ACK): there are no brokers to send "
          "to. Set kafka.brokers, or remove it."},
         {"HEADRACE_KAFKA_ACK=enqueued", "HEADRACE_KAFKA_BROKERS=kafka:9092"}},
        {{"HEADRACE_KAFKA_COMPRESSION=brotli"},
         {"error: kafka.compression: \"brotli\" (from HEADRACE_KAFKA_COMPRESSION): the value is "
          "not known. Use none, lz4, snappy, zstd or gzip."},
         {"HEADRACE_KAFKA_COMPRESSION=zstd"}},
        {{"KAFKA_COMPRESSION_CODEC=lzo"},
         {"error: kafka.compression: \"lzo\" (from KAFKA_COMPRESSION_CODEC): the value is not "
          "known. Use none, lz4, snappy, zstd or gzip."},
         {"KAFKA_COMPRESSION_CODEC=lz4"}},
        {{"KAFKA_PRODUCER_LINGER_MS=20ms"},
         {"error: kafka.linger: \"20ms\" (from KAFKA_PRODUCER_LINGER_MS): a plain number is "
          "expected here. Write the number without a unit."},
         {"KAFKA_PRODUCER_LINGER_MS=20"}},
        {{"HEADRACE_KAFKA_MESSAGE_MAX=10B"},
         {"error: kafka.message_max: \"10B\" (from HEADRACE_KAFKA_MESSAGE_MAX): the value is out "
          "of range. Write a value from 1000B to 1000000000B."},
         {"HEADRACE_KAFKA_MESSAGE_MAX=1000000B"}},
        {{"HEADRACE_KAFKA_TOPICS_HEATMAPS=heat maps"},
         {"error: kafka.topics.heatmaps: \"heat maps\" (from HEADRACE_KAFKA_TOPICS_HEATMAPS): this "
          "is no name for a topic. Use 1 to 249 letters, digits, dots, underscores and hyphens."},
         {"HEADRACE_KAFKA_TOPICS_HEATMAPS=heat_maps"}},
        {{"[kafka.topics]\nanalytics_main = \"\""},
         {"error: kafka.topics.analytics_main (from {dir}/headrace.toml:2): the name of the topic "
          "is empty. Name a topic."},
         {"[kafka.topics]\nanalytics_main = \"events\""}},
        {{"KAFKA_TOPIC="
          "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
          "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
          "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"},
         {"error: kafka.topics.analytics_main: "
          "\"tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
          "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
          "tttttttttttttttttttttttttt...\" (from KAFKA_TOPIC): this is no name for a topic. Use 1 "
          "to 249 letters, digits, dots, underscores and hyphens."},
         {"KAFKA_TOPIC=events"}},
        {{"HEADRACE_KAFKA_SECURITY_PROTOCOL=tls"},
         {"error: kafka.security_protocol: \"tls\" (from HEADRACE_KAFKA_SECURITY_PROTOCOL): the "
          "value is not known. Use plaintext, ssl, sasl_plaintext or sasl_ssl."},
         {"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl"}},
        {{"HEADRACE_KAFKA_SECURITY_PROTOCOL=sasl_ssl"},
         {"error: kafka.sasl_mechanism (the default): sasl_ssl needs it, it is not set. Set it to "
          "SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.",
          "error: kafka.sasl_username (the default): sasl_ssl needs it, it is not set. Set it to "
          "the user's name.",
          "error: kafka.sasl_password (the default): sasl_ssl needs it, it is not set. Set it, "
          "best by HEADRACE_KAFKA_SASL_PASSWORD_FILE."},
         {"HEADRACE_KAFKA_SECURITY_PROTOCOL=sasl_ssl",
          "HEADRACE_KAFKA_SASL_MECHANISM=SCRAM-SHA-512",
          "HEADRACE_KAFKA_SASL_USERNAME=u",
          "HEADRACE_KAFKA_SASL_PASSWORD=p"}},
        {{"HEADRACE_KAFKA_SASL_MECHANISM=GSSAPI"},
         {"error: kafka.sasl_mechanism: \"GSSAPI\" (from HEADRACE_KAFKA_SASL_MECHANISM): the value "
          "is not known. Use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."},
         {"HEADRACE_KAFKA_SASL_MECHANISM=PLAIN",
          "HEADRACE_KAFKA_SECURITY_PROTOCOL=sasl_plaintext",
          "HEADRACE_KAFKA_SASL_USERNAME=u",
          "HEADRACE_KAFKA_SASL_PASSWORD=p"}},
        {{"HEADRACE_KAFKA_SASL_USERNAME=u", "HEADRACE_KAFKA_SASL_PASSWORD=hunter2"},
         {"error: kafka.sasl_username: \"u\" (from HEADRACE_KAFKA_SASL_USERNAME): "
          "kafka.security_protocol is plaintext, which has no SASL. Set kafka.security_protocol to "
          "sasl_ssl (or sasl_plaintext).",
          "error: kafka.sasl_password: \"***\" (from HEADRACE_KAFKA_SASL_PASSWORD): "
          "kafka.security_protocol is plaintext, which has no SASL. Set kafka.security_protocol to "
          "sasl_ssl (or sasl_plaintext)."},
         {"HEADRACE_KAFKA_SASL_USERNAME=u",
          "HEADRACE_KAFKA_SASL_PASSWORD=hunter2",
          "HEADRACE_KAFKA_SECURITY_PROTOCOL=sasl_ssl",
          "HEADRACE_KAFKA_SASL_MECHANISM=PLAIN"}},
        {{"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl", "HEADRACE_KAFKA_SSL_CA={dir}/missing.pem"},
         {"error: kafka.ssl_ca: \"{dir}/missing.pem\" (from HEADRACE_KAFKA_SSL_CA): the file "
          "cannot be read (No such file or directory). Name a PEM file that the user of headrace "
          "may read."},
         {"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl", "HEADRACE_KAFKA_SSL_CA={dir}/ca.pem"}},
        {{"HEADRACE_KAFKA_SSL_CA={dir}/ca.pem"},
         {"error: kafka.ssl_ca: \"{dir}/ca.pem\" (from HEADRACE_KAFKA_SSL_CA): "
          "kafka.security_protocol is plaintext, which has no TLS. Set kafka.security_protocol to "
          "ssl or sasl_ssl."},
         {"HEADRACE_KAFKA_SSL_CA={dir}/ca.pem", "HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl"}},
        {{"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl", "HEADRACE_KAFKA_SSL_CERTIFICATE={dir}/ca.pem"},
         {"error: kafka.ssl_certificate: \"{dir}/ca.pem\" (from HEADRACE_KAFKA_SSL_CERTIFICATE): "
          "the key of this certificate is missing. Set kafka.ssl_key to its PEM file."},
         {"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl",
          "HEADRACE_KAFKA_SSL_CERTIFICATE={dir}/ca.pem",
          "HEADRACE_KAFKA_SSL_KEY={dir}/key.pem"}},
        {{"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl", "HEADRACE_KAFKA_SSL_KEY={dir}/key.pem"},
         {"error: kafka.ssl_key: \"{dir}/key.pem\" (from HEADRACE_KAFKA_SSL_KEY): the certificate "
          "of this key is missing. Set kafka.ssl_certificate to its PEM file."},
         {"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl",
          "HEADRACE_KAFKA_SSL_CERTIFICATE={dir}/ca.pem",
          "HEADRACE_KAFKA_SSL_KEY={dir}/key.pem"}},
        {{"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl", "HEADRACE_KAFKA_SSL_KEY_PASSWORD=hunter2"},
         {"error: kafka.ssl_key_password: \"***\" (from HEADRACE_KAFKA_SSL_KEY_PASSWORD): there is "
          "no key that it opens. Set kafka.ssl_key, or remove it."},
         {"HEADRACE_KAFKA_SECURITY_PROTOCOL=ssl"}},
        {{"HEADRACE_KAFKA_SASL_PASSWORD_FILE=hunter2", "HEADRACE_KAFKA_BROKERS=kafka:9092"},
         {"error: kafka.sasl_password: \"***\" (from HEADRACE_KAFKA_SASL_PASSWORD_FILE): the file "
          "with the secret cannot be read (No such file or directory). Name a file that the user "
          "of headrace may read."},
         {"HEADRACE_KAFKA_BROKERS=kafka:9092"}},
        {{"CAPTURE_MODE=recordings"},
         {"error: CAPTURE_MODE: \"recordings\": this version captures events only. Set "
          "CAPTURE_MODE=events, and keep PostHog's container for the other mode."},
         {"CAPTURE_MODE=events"}},
        {{"S3_FALLBACK_ENABLED=true", "S3_FALLBACK_BUCKET=b"},
         {"error: S3_FALLBACK_ENABLED: \"true\": headrace falls back to its local store, not to "
          "S3. Set S3_FALLBACK_ENABLED=false or remove it.",
          "warning: S3_FALLBACK_BUCKET (from environment): variables of PostHog that this version "
          "knows but does not use. Remove them, or leave them; they have no effect."},
         {"S3_FALLBACK_ENABLED=false", "S3_FALLBACK_BUCKET=b"}},
        {{"NOOP_SINK=true"},
         {"error: NOOP_SINK: \"true\": headrace does not answer 200 for events that it throws "
          "away. Set NOOP_SINK=false or remove it."},
         {"NOOP_SINK=false"}},
        {{"PRINT_SINK=True"},
         {"error: PRINT_SINK: \"True\": headrace does not answer 200 for events that it only "
          "prints. Set PRINT_SINK=false or remove it."},
         {}},
        {{"KAFKA_PRODUCER_ACKS=1"},
         {"error: KAFKA_PRODUCER_ACKS: \"1\": headrace answers 200 only when all in-sync replicas "
          "have the event. Set KAFKA_PRODUCER_ACKS=all or remove it."},
         {"KAFKA_PRODUCER_ACKS=all"}},
        {{"KAFKA_INGESTION_PRODUCER_ACKS=0"},
         {"error: KAFKA_INGESTION_PRODUCER_ACKS: \"0\": headrace answers 200 only when all in-sync "
          "replicas have the event. Set KAFKA_INGESTION_PRODUCER_ACKS=all or remove it."},
         {"KAFKA_INGESTION_PRODUCER_ACKS=-1"}},
        {{"AI_SINK_MODE=secondary"},
         {"error: AI_SINK_MODE: \"secondary\": this version writes to one Kafka cluster only. Set "
          "AI_SINK_MODE=primary or remove it."},
         {"AI_SINK_MODE=primary"}},
        {{"CAPTURE_OUTPUT_DLQ_PRODUCER=OTHER"},
         {"error: CAPTURE_OUTPUT_DLQ_PRODUCER: \"OTHER\": there is one producer only, INGESTION. "
          "Set CAPTURE_OUTPUT_DLQ_PRODUCER=INGESTION or remove it."},
         {"CAPTURE_OUTPUT_DLQ_PRODUCER=INGESTION"}},
        {{"CAPTURE_AI_LANE_PREDICATE=all"},
         {"error: CAPTURE_AI_LANE_PREDICATE: \"all\": the value is not known. Use allowlist or "
          "prefix."},
         {"CAPTURE_AI_LANE_PREDICATE=prefix"}},
        {{"KAFKA_TLS=1"},
         {"error: KAFKA_TLS: \"1\": this is neither true nor false. Write true or false."},
         {"KAFKA_TLS=true"}},
        {{"[kafka.librdkafka]\nacks = 1"},
         {"error: kafka.librdkafka.acks: \"1\" (from {dir}/headrace.toml:2): headrace answers 200 "
          "only when all in-sync replicas have the event. Set it to all, or remove it."},
         {"[kafka.librdkafka]\nacks = \"all\""}},
        {{"HEADRACE_KAFKA_LIBRDKAFKA_TOPIC_ACKS=1"},
         {"error: kafka.librdkafka.topic.acks: \"1\" (from HEADRACE_KAFKA_LIBRDKAFKA_TOPIC_ACKS): "
          "headrace answers 200 only when all in-sync replicas have the event. Set it to all, or "
          "remove it."},
         {"HEADRACE_KAFKA_LIBRDKAFKA_TOPIC_ACKS=all"}},
        {{"HEADRACE_KAFKA_LIBRDKAFKA_TOPIC_REQUEST_REQUIRED_ACKS=0"},
         {"error: kafka.librdkafka.topic.request.required.acks: \"0\" (from "
          "HEADRACE_KAFKA_LIBRDKAFKA_TOPIC_REQUEST_REQUIRED_ACKS): headrace answers 200 only when "
          "all in-sync replicas have the event. Set it to all, or remove it."},
         {}},
        {{"HEADRACE_KAFKA_LIBRDKAFKA_TEST_MOCK_NUM_BROKERS=1"},
         {"error: kafka.librdkafka.test.mock.num.brokers: \"1\" (from "
          "HEADRACE_KAFKA_LIBRDKAFKA_TEST_MOCK_NUM_BROKERS): a cluster in memory keeps no event. "
          "Remove it."},
         {}},
        {{"HEADRACE_KAFKA_LIBRDKAFKA_BOOTSTRAP_SERVERS=a:1"},
         {"error: kafka.librdkafka.bootstrap.servers: \"a:1\" (from "
          "HEADRACE_KAFKA_LIBRDKAFKA_BOOTSTRAP_SERVERS): brokers have a setting of their own. Use "
          "kafka.brokers instead."},
         {"HEADRACE_KAFKA_BROKERS=a:1"}},
        {{"HEADRACE_KAFKA_LIBRDKAFKA_TRANSACTIONAL_ID=t"},
         {"error: kafka.librdkafka.transactional.id: \"t\" (from "
          "HEADRACE_KAFKA_LIBRDKAFKA_TRANSACTIONAL_ID): headrace does not use transactions. Remove "
          "it."},
         {}},
        {{"[kafka.librdkafka]\n\"Linger ms\" = 5"},
         {"error: kafka.librdkafka.Linger ms: \"5\" (from {dir}/headrace.toml:2): this is no name "
          "of a librdkafka property. Names have lower case letters, digits and dots."},
         {"[kafka.librdkafka]\n\"linger.ms\" = 5"}},
        {{"[kafka.librdkafka]\n\"linger.ms\" = 5.5"},
         {"error: kafka.librdkafka.linger.ms (from {dir}/headrace.toml:2): a value of this kind "
          "does not fit. Write the value as a text in quotes."},
         {"[kafka.librdkafka]\n\"linger.ms\" = \"5.5\""}},
    });
}

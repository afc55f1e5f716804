#include "kafka/check.hpp"

#include "kafka/check_connect.hpp"
#include "kafka/shipper.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mock_kafka.hpp"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

using namespace headrace;
using kafka::check_verdict;

namespace {

const kafka::check_step* step_of(
    const std::vector<kafka::check_step>& all, const std::string& name
) {
    for (const auto& step : all)
        if (step.name.starts_with(name)) return &step;
    return nullptr;
}

// A self-signed certificate for `name`, valid between the given seconds from now.
struct certificate {
    certificate(const std::string& dir, const std::string& name, long from, long until)
        : file(dir + "/cert.pem") {
        key = EVP_EC_gen("P-256");
        cert = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
        X509_set_version(cert, 2);
        X509_gmtime_adj(X509_getm_notBefore(cert), from);
        X509_gmtime_adj(X509_getm_notAfter(cert), until);
        X509_set_pubkey(cert, key);
        X509_NAME* subject = X509_get_subject_name(cert);
        const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text, -1, -1, 0);
        X509_set_issuer_name(cert, subject);
        X509_EXTENSION* san =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str());
        X509_add_ext(cert, san, -1);
        X509_EXTENSION_free(san);
        X509_sign(cert, key, EVP_sha256());
        FILE* out = std::fopen(file.c_str(), "w");
        PEM_write_X509(out, cert);
        std::fclose(out);
    }
    ~certificate() {
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    certificate(const certificate&) = delete;
    std::string file;
    EVP_PKEY* key;
    X509* cert;
};

// Accepts one connection, and speaks TLS on it when there is a certificate.
class listener {
public:
    explicit listener(const certificate* own) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* any = reinterpret_cast<sockaddr*>(&at);
        socklen_t size = sizeof at;
        REQUIRE(::bind(fd_, any, size) == 0);
        REQUIRE(::listen(fd_, 4) == 0);
        REQUIRE(::getsockname(fd_, any, &size) == 0);
        port = ntohs(at.sin_port);
        thread_ = std::thread([this, own] { serve(own); });
    }
    ~listener() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    int port = 0;

private:
    void serve(const certificate* own) {
        const int peer = ::accept(fd_, nullptr, nullptr);
        if (peer < 0) return;
        char byte = 0;
        if (own == nullptr) {
            static_cast<void>(!::write(peer, "plain text, no TLS\n", 19));
            while (::read(peer, &byte, 1) > 0) {
            }
            ::close(peer);
            return;
        }
        SSL_CTX* context = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(context, own->cert);
        SSL_CTX_use_PrivateKey(context, own->key);
        SSL* ssl = SSL_new(context);
        SSL_set_fd(ssl, peer);
        if (SSL_accept(ssl) == 1) SSL_read(ssl, &byte, 1);
        SSL_free(ssl);
        SSL_CTX_free(context);
        ::close(peer);
    }
    int fd_;
    std::thread thread_;
};

struct temporary_dir {
    temporary_dir() {
        std::string pattern = (std::filesystem::temp_directory_path() / "checkXXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    ~temporary_dir() { std::filesystem::remove_all(path); }
    std::string path;
};

kafka::check_step tls_step(
    const std::string& cert_name, long from, long until, const std::string& ca_of, bool tls = true
) {
    const temporary_dir dir, other;
    const certificate own(dir.path, cert_name, from, until);
    const certificate foreign(other.path, "elsewhere", -100, 1'000);
    listener broker(tls ? &own : nullptr);
    config::kafka_settings s;
    s.security_protocol = "ssl";
    s.ssl_ca = ca_of == "own" ? own.file : foreign.file;
    const auto steps = kafka::check_address(
        s, "localhost:" + std::to_string(broker.port), std::chrono::seconds(5)
    );
    const kafka::check_step* found = step_of(steps, "tls");
    REQUIRE(found != nullptr);
    return *found;
}

}  // namespace

TEST_CASE("addresses are split into host and port") {
    CHECK(kafka::split_address("a:1").host == "a");
    CHECK(kafka::split_address("a:1").port == "1");
    CHECK(kafka::split_address("a").port == "9092");
    CHECK(kafka::split_address("[::1]:7").host == "::1");
    CHECK(kafka::split_address("[::1]:7").port == "7");
    CHECK(kafka::split_address("[::1]").port == "9092");
}

TEST_CASE("a name that does not resolve and a refused port are named") {
    config::kafka_settings s;
    auto steps = kafka::check_address(s, "no-such-host.invalid:9092", std::chrono::seconds(2));
    REQUIRE(steps.size() == 1);
    CHECK(steps[0].name == "dns no-such-host.invalid:9092");
    CHECK(steps[0].verdict == check_verdict::failure);
    CHECK_THAT(steps[0].remedy, ContainsSubstring("kafka.brokers"));

    s.brokers = {"127.0.0.1:1"};
    std::size_t emitted = 0;
    steps = kafka::check_kafka(s, {}, [&](const auto&) { ++emitted; });
    REQUIRE(steps.size() == 2);
    CHECK(emitted == 2);
    CHECK(steps[1].name == "tcp 127.0.0.1:1");
    CHECK_THAT(steps[1].detail, ContainsSubstring("refused"));
    CHECK_FALSE(kafka::passed(steps));
}

TEST_CASE("a valid certificate passes, each wrong one is told apart") {
    CHECK(tls_step("localhost", -100, 1'000, "own").verdict == check_verdict::ok);
    const auto authority = tls_step("localhost", -100, 1'000, "other");
    CHECK(authority.verdict == check_verdict::failure);
    CHECK_THAT(authority.detail, ContainsSubstring("unknown authority"));
    CHECK_THAT(authority.remedy, ContainsSubstring("kafka.ssl_ca"));
    const auto expired = tls_step("localhost", -1'000, -100, "own");
    CHECK_THAT(expired.detail, ContainsSubstring("expired"));
    const auto name = tls_step("broker.example", -100, 1'000, "own");
    CHECK_THAT(name.detail, ContainsSubstring("not for the name localhost"));
    const auto plain = tls_step("localhost", -100, 1'000, "own", false);
    CHECK_THAT(plain.remedy, ContainsSubstring("kafka.security_protocol"));
}

TEST_CASE("a CA file that cannot be read names its setting") {
    listener broker(nullptr);
    config::kafka_settings s;
    s.security_protocol = "ssl";
    s.ssl_ca = "/nonexistent/ca.pem";
    const auto steps = kafka::check_address(
        s, "127.0.0.1:" + std::to_string(broker.port), std::chrono::seconds(2)
    );
    REQUIRE(steps.size() == 3);
    CHECK_THAT(steps[2].detail, ContainsSubstring("/nonexistent/ca.pem"));
    CHECK_THAT(steps[2].remedy, ContainsSubstring("kafka.ssl_ca"));
}

TEST_CASE("topics are judged by what metadata tells, missing ones come with the command") {
    test::mock_kafka kafka(1);
    kafka.topic("events_plugin_ingestion", 4);
    config::kafka_settings s;
    s.brokers = {kafka.brokers()};
    kafka::check_options options;
    options.timeout = std::chrono::seconds(2);
    const auto steps = kafka::check_kafka(s, options, {});
    REQUIRE(step_of(steps, "metadata") != nullptr);
    CHECK(step_of(steps, "metadata")->verdict == check_verdict::ok);
    const kafka::check_step* there = step_of(steps, "topic events_plugin_ingestion");
    REQUIRE(there != nullptr);
    CHECK(there->name == "topic events_plugin_ingestion");
    CHECK(there->verdict == check_verdict::warning);
    CHECK_THAT(there->detail, ContainsSubstring("4 partitions, replication factor 1"));
    CHECK_THAT(there->remedy, ContainsSubstring("kafka-reassign-partitions.sh"));
    const kafka::check_step* missing = step_of(steps, "topic headrace_dead_letters");
    REQUIRE(missing != nullptr);
    CHECK(missing->verdict == check_verdict::failure);
    CHECK_THAT(missing->remedy, ContainsSubstring("--create-topics"));
    CHECK_THAT(missing->remedy, ContainsSubstring("--replication-factor 1"));
}

TEST_CASE("the shipper sends stored records in order and tells of failures") {
    test::mock_kafka kafka(1);
    kafka.topic("events", 1);
    config::kafka_settings s;
    s.message_timeout = std::chrono::seconds(10);
    std::string error;
    CHECK_FALSE(kafka::make_shipper(s)("", error));
    CHECK(error == "no brokers are given");
    const kafka::ship_function ship = kafka::make_shipper(s)(kafka.brokers(), error);
    REQUIRE(ship);
    kafka::stored_record r;
    r.topic = "events";
    r.headers = {{"token", "t"}, {"session_id", {}}};
    for (const char* value : {"1", "2", "3"}) {
        r.value = value;
        REQUIRE(ship(r));
    }
    const auto read = test::topic_reader(kafka.brokers(), "events", 1).read(3);
    REQUIRE(read.size() == 3);
    CHECK(read[2].value == "3");
    CHECK(read[0].key == std::nullopt);
    CHECK(read[0].headers[1].second == std::nullopt);
    kafka.fail_produce(1, RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS);
    CHECK_FALSE(ship(r));
}

// The printed forms: init, print-config, the reference, and the examples.
#include "config/catalog.hpp"
#include "tests/unit/config/wrong.hpp"

#include <fstream>
#include <iterator>
#include <set>

using namespace headrace::config;

namespace {

std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Takes the # away before every setting.
std::string uncommented(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool line_start = i == 0 || text[i - 1] == '\n';
        bool setting = i + 1 < text.size() && text[i + 1] != ' ';
        if (line_start && text[i] == '#' && setting) continue;
        out += text[i];
    }
    return out;
}

}  // namespace

TEST_CASE("what init writes passes, as it is and with every setting taken in") {
    wrong::files here;
    here.write("init.toml", commented_defaults());
    auto as_is = load(here.read({"HEADRACE_CONFIG={dir}/init.toml"}));
    CHECK(wrong::all_problems(as_is).empty());
    here.write("init.toml", uncommented(commented_defaults()));
    auto all = load(here.read({"HEADRACE_CONFIG={dir}/init.toml"}));
    CHECK_FALSE(wrong::has_errors(wrong::all_problems(all)));
    settings defaults;
    for (const auto& one : catalog()) {
        INFO(one.key);
        CHECK(all.origins.at(std::string(one.key)) != "default");
        CHECK(plain(one, all.settings) == plain(one, defaults));
    }
}

TEST_CASE("the examples pass") {
    for (auto name : {"development", "staging", "production"}) {
        sources from;
        from.file = std::string(HEADRACE_SOURCE_DIR) + "/config/examples/" + name + ".toml";
        auto problems = all_problems(load(from));
        INFO(name);
        for (const auto& one : problems) INFO(to_string(one));
        CHECK_FALSE(has_errors(problems));
        bool production = std::string(name) == "production";
        CHECK(problems.size() == (production ? 1 : 0));  // the placeholder of the password
    }
}

TEST_CASE("print-config hides secrets and names origins") {
    wrong::files here;
    auto out = load(here.read(
        {"HEADRACE_KAFKA_SASL_PASSWORD=hunter2",
         "HEADRACE_ADMIN_TOKEN=hunter2hunter2hunter2",
         "HEADRACE_KAFKA_LIBRDKAFKA_SSL_KEYSTORE_PASSWORD=hunter2",
         "HEADRACE_REDIS_URL=redis://me:hunter2@r:6379/0",
         "HEADRACE_KAFKA_CLIENT_ID=a\"b\\c",
         "--log-level=warn"}
    ));
    auto text = print(out);
    CHECK(text.find("hunter2") == std::string::npos);
    CHECK_THAT(
        text, ContainsSubstring("sasl_password = \"***\"  # HEADRACE_KAFKA_SASL_PASSWORD\n")
    );
    CHECK_THAT(text, ContainsSubstring("level = \"warn\"  # --log-level\n"));
    CHECK_THAT(text, ContainsSubstring("url = \"redis://***@r:6379/0\""));
    CHECK_THAT(text, ContainsSubstring("client_id = \"a\\\"b\\\\c\""));
    CHECK_THAT(text, ContainsSubstring("\"ssl.keystore.password\" = \"***\""));
    CHECK_THAT(text, ContainsSubstring("segment = \"64MiB\"  # default\n"));
    for (const auto& one : all_problems(out)) {
        CHECK(to_string(one).find("hunter2") == std::string::npos);
    }
}

TEST_CASE("what print-config prints is read back as the same settings") {
    wrong::files here;
    auto first = load(here.read(
        {"HEADRACE_KAFKA_BROKERS=a:1,b:2",
         "HEADRACE_KAFKA_LIBRDKAFKA_LINGER_MS=3",
         "HEADRACE_KAFKA_MESSAGE_MAX=900001B",
         "HEADRACE_PRIVACY_IP=drop"}
    ));
    here.write("printed.toml", print(first));
    auto second = load(here.read({"HEADRACE_CONFIG={dir}/printed.toml"}));
    CHECK(second.problems.empty());
    for (const auto& one : catalog()) {
        INFO(one.key);
        CHECK(plain(one, second.settings) == plain(one, first.settings));
    }
    CHECK(second.settings.kafka.librdkafka == first.settings.kafka.librdkafka);
}

TEST_CASE("the README has the reference of this version") {
    auto readme = read_text(std::string(HEADRACE_SOURCE_DIR) + "/config/README.md");
    auto table = readme.find("| key | ");
    REQUIRE(table != std::string::npos);
    INFO("replace the table in config/README.md by:\n" << reference());
    CHECK((readme.substr(table) == reference()));
}

TEST_CASE("every setting has one key, one variable and one flag, and its default is allowed") {
    std::set<std::string> variables, flags;
    settings scratch;
    for (const auto& one : catalog()) {
        INFO(one.key);
        CHECK(variables.insert(environment_name(one.key)).second);
        CHECK(flags.insert(flag_name(one.key)).second);
        CHECK_FALSE(one.help.empty());
        auto bad = assign(one, scratch, plain(one, scratch));
        bool needs_text = type_name(one) == "choice" && plain(one, scratch).empty();
        CHECK((needs_text || !bad));
        CHECK_THAT(reference(), ContainsSubstring(environment_name(one.key)));
        CHECK_THAT(commented_defaults(), ContainsSubstring(std::string(one.help)));
        CHECK_THAT(flag_help(), ContainsSubstring(std::string(one.help)));
    }
}

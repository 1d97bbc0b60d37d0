#include "machine/host_channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "machine/posix_file.h"
#include "tests/machine/host_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

void send(HostChannel& channel, std::string_view text)
{
    for (const char c : text) channel.send(static_cast<u8>(c));
}

/// Polls until `size` bytes have come, or for two seconds.
std::string receive(HostChannel& channel, std::size_t size)
{
    std::string text;
    for (int i = 0; i < 2000 && text.size() < size; ++i) {
        for (const u8 byte : channel.poll()) text += static_cast<char>(byte);
        if (text.size() < size) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return text;
}

std::string read_from(int fd, std::size_t size)
{
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const ssize_t n = ::read(fd, text.data() + done, size - done);
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
    }
    text.resize(done);
    return text;
}

FileDescriptor connect_to(const std::string& where)
{
    const std::size_t colon = where.rfind(':');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<u16>(std::stoi(where.substr(colon + 1))));
    ::inet_pton(AF_INET, where.substr(0, colon).c_str(), &address.sin_addr);
    FileDescriptor fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval timeout{2, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
    return fd;
}

/// Puts pipes in place of standard input and output.
struct Pipes {
    Pipes()
    {
        EXPECT_EQ(::pipe(in), 0);
        EXPECT_EQ(::pipe(out), 0);
        std::fflush(stdout);
        saved[0] = ::dup(0);
        saved[1] = ::dup(1);
        ::dup2(in[0], 0);
        ::dup2(out[1], 1);
    }
    ~Pipes()
    {
        ::dup2(saved[0], 0);
        ::dup2(saved[1], 1);
        for (const int fd : {in[0], in[1], out[0], out[1], saved[0], saved[1]}) ::close(fd);
    }
    int in[2], out[2], saved[2];
};

}  // namespace

TEST(HostChannel, NoneSwallowsEverything)
{
    for (const char* name : {"", "none", "null"}) {
        const auto channel = open_host_channel(name);
        send(*channel, "hello");
        EXPECT_TRUE(channel->poll().empty());
    }
}

TEST(HostChannel, AFileTakesTheOutput)
{
    TemporaryFolder folder;
    const std::string path = folder.text("out.txt", "an old file that is longer");
    {
        const auto channel = open_host_channel("file:" + path);
        send(*channel, "hello");
        EXPECT_TRUE(channel->poll().empty());
        EXPECT_EQ(contents(path).size(), 5u);
        send(*channel, " world");
    }
    const auto bytes = contents(path);
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "hello world");
}

TEST(HostChannel, AFullDiskIsToldOnce)
{
    std::vector<std::string> told;
    const auto channel = open_host_channel(
        "file:/dev/full", [&](std::string_view message) { told.emplace_back(message); });
    for (int i = 0; i < 10; ++i) {
        send(*channel, "hello");
        channel->poll();
    }
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0],
              "serial port on '/dev/full': cannot write (No space left on device); what "
              "the guest sends from now on is lost");
}

TEST(HostChannel, AFifoWithoutAReaderIsRefusedAtOnce)
{
    TemporaryFolder folder;
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(error_of([&] { open_host_channel("file:" + (folder / "fifo")); }),
              "cannot write the serial port's output to '" + (folder / "fifo") +
                  "': nobody reads the other end of that FIFO");
}

TEST(HostChannel, AFifoThatIsFullNeverBlocks)
{
    TemporaryFolder folder;
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    const FileDescriptor reader{::open((folder / "fifo").c_str(), O_RDONLY | O_NONBLOCK)};
    std::vector<std::string> told;
    const auto channel = open_host_channel(
        "file:" + (folder / "fifo"), [&](std::string_view message) { told.emplace_back(message); });
    for (int i = 0; i < 500'000; ++i) channel->send(static_cast<u8>(i));
    channel->poll();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_NE(told[0].find("nobody takes what the guest sends"), std::string::npos);
}

TEST(HostChannel, StdioGoesBothWays)
{
    const Pipes pipes;
    const auto channel = open_host_channel("stdio");
    ASSERT_EQ(::write(pipes.in[1], "ab", 2), 2);
    EXPECT_EQ(receive(*channel, 2), "ab");
    send(*channel, "xyz");
    channel->poll();
    EXPECT_EQ(read_from(pipes.out[0], 3), "xyz");
    EXPECT_EQ(::fcntl(0, F_GETFL) & O_NONBLOCK, 0) << "the shell's terminal must stay as it was";
    EXPECT_EQ(::fcntl(1, F_GETFL) & O_NONBLOCK, 0);
}

TEST(HostChannel, StdioOutlivesTheEndOfItsInput)
{
    Pipes pipes;
    const auto channel = open_host_channel("stdio");
    ::close(pipes.in[1]);
    pipes.in[1] = ::dup(0);
    EXPECT_TRUE(channel->poll().empty());
    EXPECT_TRUE(channel->poll().empty());
    send(*channel, "still there");
    channel->poll();
    EXPECT_EQ(read_from(pipes.out[0], 11), "still there");
}

TEST(HostChannel, APtyGoesBothWaysAndBytesAreUnchanged)
{
    std::string told;
    const auto channel =
        open_host_channel("pty", [&](std::string_view message) { told += message; });
    EXPECT_EQ(told, "serial port on " + channel->where() +
                        ": connect to it with, for example, "
                        "'screen " +
                        channel->where() + "'");
    EXPECT_TRUE(channel->poll().empty()) << "nobody is there yet, which is no error";

    const FileDescriptor terminal{::open(channel->where().c_str(), O_RDWR | O_NOCTTY)};
    ASSERT_TRUE(terminal);
    ASSERT_EQ(::write(terminal.get(), "\r\n\x03\x1A", 4), 4);
    EXPECT_EQ(receive(*channel, 4), "\r\n\x03\x1A");
    send(*channel, "\r\n\x04!");
    channel->poll();
    EXPECT_EQ(read_from(terminal.get(), 4), "\r\n\x04!");
}

TEST(HostChannel, APtySurvivesThatItsUserLeaves)
{
    const auto channel = open_host_channel("pty");
    for (int i = 0; i < 2; ++i) {
        const FileDescriptor terminal{::open(channel->where().c_str(), O_RDWR | O_NOCTTY)};
        ASSERT_EQ(::write(terminal.get(), "x", 1), 1);
        EXPECT_EQ(receive(*channel, 1), "x");
    }
    EXPECT_TRUE(channel->poll().empty());
}

TEST(HostChannel, APtyNobodyReadsNeverBlocks)
{
    const auto channel = open_host_channel("pty");
    for (int i = 0; i < 500'000; ++i) channel->send(static_cast<u8>(i));
    channel->poll();
}

TEST(HostChannel, TcpListensOnLoopbackAndGoesBothWays)
{
    const auto channel = open_host_channel("tcp:0");
    ASSERT_EQ(channel->where().find("127.0.0.1:"), 0u);
    send(*channel, "before");  // kept until a client comes
    const FileDescriptor client = connect_to(channel->where());
    ASSERT_TRUE(client);
    ASSERT_EQ(::send(client.get(), "hello", 5, 0), 5);
    EXPECT_EQ(receive(*channel, 5), "hello");
    EXPECT_EQ(read_from(client.get(), 6), "before");
}

TEST(HostChannel, TcpTakesTheNextClientWhenOneLeaves)
{
    const auto channel = open_host_channel("tcp:127.0.0.1:0");
    for (const char* text : {"first", "other"}) {
        const FileDescriptor client = connect_to(channel->where());
        ASSERT_TRUE(client);
        ASSERT_EQ(::send(client.get(), text, 5, 0), 5);
        EXPECT_EQ(receive(*channel, 5), text);
        send(*channel, text);
        channel->poll();
        EXPECT_EQ(read_from(client.get(), 5), text);
    }
    for (int i = 0; i < 100; ++i) {
        send(*channel, "to nobody");
        channel->poll();
    }
}

TEST(HostChannel, TcpPollTakesNoMoreThanTheLimit)
{
    const auto channel = open_host_channel("tcp:0");
    const FileDescriptor client = connect_to(channel->where());
    ASSERT_EQ(::send(client.get(), "hello", 5, 0), 5);
    EXPECT_TRUE(channel->poll(0).empty());
    EXPECT_EQ(channel->poll(2).size(), 2u);
    EXPECT_EQ(receive(*channel, 3), "llo");
}

TEST(HostChannel, APortInUseIsRefused)
{
    const auto channel = open_host_channel("tcp:0");
    const std::string where = channel->where();
    EXPECT_EQ(error_of([&] { open_host_channel("tcp:" + where); }),
              "the serial port cannot listen on " + where + ": the port is in use; choose another");
}

TEST(HostChannel, RefusesWhatItDoesNotKnow)
{
    EXPECT_EQ(error_of([] { open_host_channel("studio"); }),
              "a serial port cannot be connected to 'studio': it can be none, stdio, file:PATH, "
              "pty or tcp:[HOST:]PORT; did you mean 'stdio'?");
    EXPECT_EQ(error_of([] { open_host_channel("tcp:65536"); }),
              "'tcp:65536' is not a place for the serial port; write tcp:PORT or tcp:HOST:PORT, "
              "with a port from 0 to 65535");
    for (const char* backend : {"tcp:", "tcp:x", "tcp::1", "tcp:-1", "tcp:99999999999999999999",
                                "tcp:[]:1", "file:", "file", "tcp:127.0.0.1:", "file:/no/where"})
        EXPECT_NE(error_of([&] { open_host_channel(backend); }), "") << backend;
}

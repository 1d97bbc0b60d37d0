#include "cpu/ram.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "machine/base/error.h"

namespace reprise {

Ram::Ram(u64 size) : size_(size)
{
    fd_ = memfd_create("reprise-ram", MFD_CLOEXEC);
    if (fd_ >= 0 && ftruncate(fd_, static_cast<off_t>(size)) != 0) {
        close(fd_);
        fd_ = -1;
    }
    void* block = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                       fd_ >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd_, 0);
    if (block == MAP_FAILED) {
        const int error = errno;
        if (fd_ >= 0) close(fd_);
        throw HostError("cannot allocate " + std::to_string(size >> 20) +
                        " MB of guest memory: " + std::strerror(error) + "; choose less with -m");
    }
    data_ = static_cast<u8*>(block);
}

Ram::~Ram()
{
    if (data_) munmap(data_, size_);
    if (fd_ >= 0) close(fd_);
}

}  // namespace reprise
